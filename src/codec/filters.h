// Reversible filters that make a frame's values smaller or its bytes more alike. Exact for every bit pattern.
#pragma once

#include <cstdint>
#include <span>

#include "codec/codec.h"

namespace dicube::codec {

// ON DISK: DO NOT CHANGE. Specified in spec/codecs.md.
enum class Filter : std::uint8_t {
  kNone = 0,
  kShuffle = 1,  // all values' first bytes, then all second bytes, ...
  kLeft = 2,     // differences to the value one pixel before, then kShuffle
  kUp = 3,       // differences to the value one row above, then kShuffle
};
inline constexpr unsigned kFilters = 4;

// Whether `filter` changes frames of this shape; kNone always applies.
bool applies(Filter filter, const Shape& shape);

// REQUIRES for both: applies(filter, shape), filter != kNone; all spans have frame_bytes(shape) bytes and do not
// overlap. `scratch` is overwritten.
void apply(Filter filter, const Shape& shape, ByteSpan values, MutableByteSpan scratch, MutableByteSpan filtered);
void undo(Filter filter, const Shape& shape, ByteSpan filtered, MutableByteSpan values);

}  // namespace dicube::codec
