// Memory for the pixels of a series.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace dicube {

// Bytes, whatever they are at first. What the system has to clear for a new series takes as long as a quarter of its
// decoding: so large buffers (of 1 MiB to 1 GiB) keep the memory of the one that was freed last for the next one. The
// system takes it back when it is short (MADV_FREE); until then the process seems to use it. Movable; safe to make and
// to free in several threads and after fork.
class PixelBuffer {
 public:
  PixelBuffer() noexcept;
  explicit PixelBuffer(std::size_t size);  // throws std::bad_alloc
  PixelBuffer(PixelBuffer&&) noexcept;
  PixelBuffer& operator=(PixelBuffer&&) noexcept;
  ~PixelBuffer();

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<std::byte> span() const { return {data_, size_}; }

 private:
  class Block;
  struct GiveBack {
    void operator()(Block* block) const noexcept;
  };
  std::unique_ptr<Block, GiveBack> block_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dicube
