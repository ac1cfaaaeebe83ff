#include "dicube/pixel_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <new>
#include <utility>

namespace dicube {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kLarge = std::size_t{1} << 20, kMostKept = std::size_t{1} << 30;

}  // namespace

// A mapping of whole huge pages, or, for small ones, of the heap.
class PixelBuffer::Block {
 public:
  explicit Block(std::size_t size) : size_(size) {
    if (size < kLarge) {
      heap_ = std::make_unique_for_overwrite<std::byte[]>(size);
      data_ = heap_.get();
      return;
    }
    if (size > std::numeric_limits<std::size_t>::max() - 2 * kHugePage) throw std::bad_alloc();
    size_ = (size + kHugePage - 1) / kHugePage * kHugePage;
    mapped_ = mmap(nullptr, size_ + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    data_ = reinterpret_cast<std::byte*>((address + kHugePage - 1) / kHugePage * kHugePage);
  }
  ~Block() {
    if (mapped_ != nullptr) munmap(mapped_, size_ + kHugePage);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::byte* data() const { return data_; }
  // Neither too small nor far too large; a child of fork would have to copy what its parent wrote.
  bool suits(std::size_t size) const { return size_ >= size && size_ / 4 <= size && owner_ == getpid(); }
  // Whether the system may take the pages from now on until they are written again.
  bool set_free() const {
#ifdef MADV_FREE
    return mapped_ != nullptr && size_ <= kMostKept && owner_ == getpid() && madvise(data_, size_, MADV_FREE) == 0;
#else
    return false;
#endif
  }

  // The one that was freed last.
  static std::atomic<Block*> spare;

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> heap_;
  void* mapped_ = nullptr;
  std::byte* data_;
  pid_t owner_ = getpid();
};

std::atomic<PixelBuffer::Block*> PixelBuffer::Block::spare{nullptr};

void PixelBuffer::GiveBack::operator()(Block* block) const noexcept {
  std::unique_ptr<Block> freed(block);
  if (freed->set_free()) freed.reset(Block::spare.exchange(freed.release()));
}

PixelBuffer::PixelBuffer() noexcept = default;
PixelBuffer::PixelBuffer(std::size_t size) : size_(size) {
  std::unique_ptr<Block> block(size < kLarge ? nullptr : Block::spare.exchange(nullptr));
  if (block && !block->suits(size)) block.reset();  // first: there may not be memory for both
  if (!block) block = std::make_unique<Block>(size);
  data_ = block->data();
  block_.reset(block.release());
}
PixelBuffer::PixelBuffer(PixelBuffer&& other) noexcept
    : block_(std::move(other.block_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}
PixelBuffer& PixelBuffer::operator=(PixelBuffer&& other) noexcept {
  block_ = std::move(other.block_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}
PixelBuffer::~PixelBuffer() = default;

}  // namespace dicube
