#include "archive/scratch.h"

namespace dicube::archive {

ScratchPool::Lease ScratchPool::lend() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return {*this, std::make_unique<Scratch>()};
  auto scratch = std::move(idle_.back());
  idle_.pop_back();
  return {*this, std::move(scratch)};
}

ScratchPool::Lease::~Lease() {
  std::lock_guard lock(pool_.mutex_);
  pool_.idle_.push_back(std::move(scratch_));
}

}  // namespace dicube::archive
