// The lane decoder as spec/lane.md says it, one value at a time: what the vectors must agree with.
#pragma once

#include <span>

#include "codec/lane_stream.h"

namespace dicube::codec::lane {

// A coded value as the prediction sees it.
constexpr std::int16_t raised(std::int16_t value, int bits) {
  return static_cast<std::int16_t>(bits < 0 ? value >> 1 : value * (1 << bits));
}
// A signed difference as a magnitude (0, 1, 2 stand for 0, -1, 1) and back.
constexpr std::uint16_t magnitude_of(std::int16_t residual) {
  return static_cast<std::uint16_t>(unsigned{static_cast<std::uint16_t>(residual)} << 1 ^ (residual < 0 ? 0xFFFFu : 0u));
}
constexpr std::int16_t residual_of(std::uint16_t magnitude) {
  return static_cast<std::int16_t>((magnitude >> 1) ^ (magnitude & 1 ? 0xFFFFu : 0u));
}

// Neighbours of a coded value, raised, in the order of the taps; and N.
struct Neighbours {
  std::array<std::int16_t, kTaps> taps;
  std::int16_t north;
};
unsigned class_of(const Neighbours& at, std::uint16_t texture);
std::int16_t predict(const Plane& plane, const Neighbours& at);

// Decodes into `out`, row by row: values modulo 2^16.
Status decode_reference(const Plane& plane, Size size, const Coded& coded, std::uint16_t* out);

}  // namespace dicube::codec::lane
