#include "archive/references.h"

#include <algorithm>
#include <numeric>

namespace dicube::archive {
namespace {

constexpr std::size_t kWindow = 8 * format::kLongestChain;  // eight chains of neighbours

std::uint64_t key_of(std::size_t frame, bool planar) { return std::uint64_t{frame} << 1 | (planar ? 1U : 0U); }

}  // namespace

Pixels ReferenceCache::find(std::size_t frame, bool planar) const {
  std::lock_guard lock(mutex_);
  const auto found = frames_.find(key_of(frame, planar));
  return found == frames_.end() ? nullptr : found->second;
}

void ReferenceCache::set_farthest(std::size_t back) {
  std::lock_guard lock(mutex_);
  most_frames_ = format::kLongestChain * back + 2 * kWindow;  // chains side by side, and what threads are ahead
}

void ReferenceCache::keep(std::size_t frame, bool planar, const Pixels& pixels) {
  const std::size_t size = pixels->size();
  if (size > kMost) return;
  std::lock_guard lock(mutex_);
  if (!frames_.try_emplace(key_of(frame, planar), pixels).second) return;
  order_.push_back(key_of(frame, planar));
  for (bytes_ += size; bytes_ > kMost || order_.size() > most_frames_; order_.pop_front()) {
    const auto oldest = frames_.find(order_.front());
    bytes_ -= oldest->second->size();
    frames_.erase(oldest);
  }
}

std::vector<std::size_t> reading_order(const format::FrameIndex& index, std::size_t first, std::size_t count) {
  std::vector<std::uint8_t> before(count);  // frames of its chain, from `first` on
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t back = index.frames[first + i].back;
    if (back > 0 && back <= i) before[i] = static_cast<std::uint8_t>(before[i - back] + 1);
  }
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), first);
  for (std::size_t begin = 0; begin < count; begin += kWindow) {
    const auto from = order.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto to = order.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kWindow, count));
    std::stable_sort(from, to, [&](std::size_t a, std::size_t b) { return before[a - first] < before[b - first]; });
  }
  return order;
}

}  // namespace dicube::archive
