// One row of one component between a frame's container (8, 16 or 32 bits, planar or interleaved) and OpenJPH's
// 32-bit row.
#pragma once

#include "codec/codec.h"
#include "codec/htj2k_header.h"

namespace dicube::codec {

// REQUIRES: row < shape.rows, component < shape.samples, `to` holds shape.columns values, and `pixels` the frame.
void load_row(const Shape& shape, ByteSpan pixels, std::uint32_t row, std::uint32_t component, std::int32_t* to);

// Stores what a component of the codestream says of its row. Values outside its precision, which a lossy codestream
// reconstructs, become the nearest inside; a component of the other signedness is taken as the bits it was coded from.
// `from` may be changed.
void store_row(const Shape& shape, Htj2kComponent coded, std::int32_t* from, std::uint32_t row, std::uint32_t component,
               MutableByteSpan pixels);

}  // namespace dicube::codec
