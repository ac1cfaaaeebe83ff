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
  return static_cast<std::uint16_t>(unsigned{static_cast<std::uint16_t>(residual)} << 1 ^
                                    (residual < 0 ? 0xFFFFu : 0u));
}
constexpr std::int16_t residual_of(std::uint16_t magnitude) {
  return static_cast<std::int16_t>((magnitude >> 1) ^ (magnitude & 1 ? 0xFFFFu : 0u));
}

// What a coded value is predicted from: N, raised, and differences of raised neighbours, in the order of the taps.
struct Surroundings {
  std::int16_t north;
  std::array<std::int16_t, kTaps> differences;
};
// `at(dy, dx)`: the raised neighbour dy rows below and dx columns to the right.
template <class At>
Surroundings surroundings(const At& at) {
  const auto difference = [](int a, int b) { return static_cast<std::int16_t>(a - b); };
  const std::int16_t w = at(0, -1), ww = at(0, -2), n = at(-1, 0), nw = at(-1, -1), nww = at(-1, -2), ne = at(-1, 1),
                     nn = at(-2, 0), nne = at(-2, 1);
  return {n,
          {difference(w, nw), difference(w, ww), difference(n, nw), difference(ne, n), difference(nn, n),
           difference(nne, ne), difference(nw, nww)}};
}
unsigned class_of(const Surroundings& at, const Plane& plane);
std::int16_t predict(const Plane& plane, const Surroundings& at);

// Decodes into `out`, row by row: values modulo 2^16. REQUIRES: a reference of this size, row by row, if the plane has
// a correction.
Status decode_reference(const Plane& plane, Size size, const Coded& coded, std::uint16_t* out,
                        const std::uint16_t* reference = nullptr);

}  // namespace dicube::codec::lane
