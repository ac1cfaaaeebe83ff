// Pixels as they stand in memory, and the planes of their samples, which are coded.
#pragma once

#include <vector>

#include "codec/codec.h"

namespace dicube::codec::lane {

using SamplePlane = std::vector<std::uint16_t>;  // row by row, modulo 2^16

// One plane per sample; with `colour` after the reversible transform of JPEG 2000 (ISO/IEC 15444-1 G.2), for three
// samples of 8 bits. spec/lane.md, section 1.
void split(const Shape& shape, ByteSpan pixels, bool colour, SamplePlane* planes);
// The other way round; with `colour` the planes are overwritten.
void join(const Shape& shape, bool colour, SamplePlane* planes, MutableByteSpan pixels);

}  // namespace dicube::codec::lane
