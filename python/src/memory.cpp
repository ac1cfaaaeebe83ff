// Memory for the pixels of large arrays. What the system has to clear for a new series takes as long as a quarter of
// its decoding; so the memory of the array that was freed last is kept for the next one. The system may take it back
// at any time, when it is short.
#include <nanobind/ndarray.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <memory>
#include <new>

#include "binding.h"

namespace dicube::python {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kMostKept = std::size_t{1} << 30;

// A mapping of whole huge pages.
class Block {
 public:
  explicit Block(std::size_t size) : size_((size + kHugePage - 1) / kHugePage * kHugePage) {
    if (size > std::numeric_limits<std::size_t>::max() - 2 * kHugePage) throw std::bad_alloc();
    mapped_ = mmap(nullptr, size_ + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    data_ = reinterpret_cast<std::uint8_t*>((address + kHugePage - 1) / kHugePage * kHugePage);
#ifdef MADV_HUGEPAGE
    madvise(data_, size_, MADV_HUGEPAGE);  // where it can't be had, small ones do
#endif
  }
  ~Block() { munmap(mapped_, size_ + kHugePage); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::uint8_t* data() const { return data_; }
  // Neither too small nor far too large; a child of fork would have to copy what its parent wrote.
  bool suits(std::size_t size) const { return size_ >= size && size_ / 4 <= size && owner_ == getpid(); }
  // Whether the system may take the pages from now on until they are written again.
  bool set_free() const {
#ifdef MADV_FREE
    return size_ <= kMostKept && owner_ == getpid() && madvise(data_, size_, MADV_FREE) == 0;
#else
    return false;
#endif
  }

 private:
  std::size_t size_;
  void* mapped_;
  std::uint8_t* data_;
  pid_t owner_ = getpid();
};

std::atomic<Block*> spare{nullptr};

std::unique_ptr<Block> take(std::size_t size) {
  std::unique_ptr<Block> block(spare.exchange(nullptr));
  return block && block->suits(size) ? std::move(block) : std::make_unique<Block>(size);
}

void give_back(void* block) noexcept {
  std::unique_ptr<Block> freed(static_cast<Block*>(block));
  if (freed->set_free()) freed.reset(spare.exchange(freed.release()));
}

using Array = nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>;

Array allocate(std::size_t size) {
  std::unique_ptr<Block> block = take(size);
  std::uint8_t* const data = block->data();
  const nb::capsule owner(block.get(), give_back);
  static_cast<void>(block.release());
  return Array(data, {size}, owner);
}

}  // namespace

void bind_memory(nb::module_& m) {
  m.def(
      "allocate", &allocate, nb::arg("size"),
      "An array of so many bytes, whatever they are; for large ones. The memory of the last one that was freed is used "
      "again.");
}

}  // namespace dicube::python
