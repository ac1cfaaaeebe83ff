// Pictures as files of formats that everybody reads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dicube::cli {

struct Canvas {
  Canvas(std::uint32_t of_rows, std::uint32_t of_columns)
      : rows(of_rows), columns(of_columns), rgb(std::size_t{of_rows} * of_columns * 3) {}
  std::uint32_t rows, columns;
  std::vector<std::uint8_t> rgb;  // black at first
};

// Of one channel where all is grey.
Result<Bytes> png_bytes(const Canvas& canvas);

// The best quality of some that takes no more than 10,000 bytes, as thumbnails may, or as many for each 256 x 256
// pixels of larger pictures.
Result<Bytes> jpeg_bytes(const Canvas& canvas);

}  // namespace dicube::cli
