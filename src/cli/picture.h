// A frame as a picture of a few pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "dicube/archive.h"

namespace dicube::cli {

struct Picture {
  std::uint32_t rows = 0, columns = 0, samples = 1;
  std::vector<double> values;  // means of what a pixel stands for
  double most = 255;           // the largest that a colour may be
  bool is_looked_up = false;   // by a Modality LUT: no rescale goes with them
};

// Longest side: `size`; nothing is enlarged.
Result<Picture> read_picture(const Archive& archive, std::size_t frame, std::uint32_t size);

// Its values as 0..255: by the window given (centre and width, in real-world values), else by the data set's, or from
// the 1st to the 99th percentile.
std::vector<std::uint8_t> shades_of(const Archive& archive, std::size_t frame, const Picture& picture,
                                    const std::vector<double>& window);

}  // namespace dicube::cli
