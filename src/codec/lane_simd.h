// The parts of the lane codec that work in vectors. Each has the same result on every processor.
#pragma once

#include <span>

#include "codec/lane_fit.h"

namespace dicube::codec::lane {

// Magnitudes of the residuals of row `y` > 0. `out` has room for kRight more.
void predict_row(const Plane& plane, const RaisedPlane& raised, std::int64_t y, std::uint32_t columns, std::uint16_t* out);

// Rows that a decoder works with, used again from plane to plane.
struct RowBuffers {
  std::vector<std::int16_t> residuals, raised;
  std::vector<std::uint16_t> magnitudes;
  std::vector<std::uint16_t> words;
};

// Decodes into `out`, one coded value per pixel, row by row.
Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::span<std::int16_t> out);

}  // namespace dicube::codec::lane
