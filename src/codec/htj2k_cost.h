// How much memory OpenJPH takes to decode a codestream, bounded from above by its header alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace dicube::codec {

// Image and tiles on the reference grid: ISO/IEC 15444-1 A.5.1, B.3
struct Extent {
  std::uint32_t x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  std::uint32_t tile_width = 0, tile_height = 0, tile_x0 = 0, tile_y0 = 0;
  std::uint64_t tiles() const {
    const auto count = [](std::uint64_t end, std::uint64_t begin, std::uint64_t size) {
      return (end - begin + size - 1) / size;
    };
    return count(x1, tile_x0, tile_width) * count(y1, tile_y0, tile_height);
  }
};

// COD or COC: A.6.1
struct Coding {
  struct Precinct {
    std::uint8_t log_width = 15, log_height = 15;
  };
  unsigned levels = 0, log_width = 0, log_height = 0, wavelet = 0;
  std::array<Precinct, 33> precincts{};
};

// OpenJPH keeps coefficients in 32 bits when two bits of them stay free.
inline bool fits_32_bits(unsigned magnitude_bits) { return magnitude_bits + 2 <= 32; }

class Cost {
 public:
  explicit Cost(const Extent& extent);
  void add_component(const Coding& coding, bool in_32_bits);
  std::uint64_t working_bytes() const;
  std::uint64_t code_blocks() const;

 private:
  // One direction of a tile.
  struct Axis {
    Axis(std::uint32_t begin, std::uint32_t end, std::uint32_t tile_begin, std::uint32_t tile_size);
    std::uint64_t at(unsigned down) const;                         // its size after so many halvings
    std::uint64_t pieces(std::uint64_t span, unsigned log) const;  // of 2^log that `span` samples touch
    std::uint64_t size, crossing;
  };
  std::uint64_t tiles_;
  Axis x_, y_;
  std::uint64_t tile_bytes_, tile_blocks_ = 0;
  unsigned log_tag_tree_ = 0;
};

// What a frame may cost. A usual codestream of one tile takes under 2 bytes a value and one code-block in 2,000 values;
// tiles of 64 x 64 and code-blocks of 16 x 16 stay below these. Code-blocks of 64 x 64 cross a frame of a few rows or
// columns 2,048 times, and OpenJPH makes memory for all of each that stands side by side.
struct Limits {
  Limits(std::uint64_t rows, std::uint64_t columns, std::uint64_t samples)
      : working_bytes((16U << 20) + samples * columns * (96 * rows + 2048)),
        code_blocks(1024 + samples * (rows * columns / 128 + (rows + columns) / 16)) {}
  std::uint64_t working_bytes, code_blocks;
};

}  // namespace dicube::codec
