// Where a slice lies, and the order that slices have in an archive.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

namespace dicube::series {

// Nothing of another number of them.
template <std::size_t N>
std::optional<std::array<double, N>> exactly(const std::vector<double>& numbers) {
  if (numbers.size() != N) return std::nullopt;
  std::array<double, N> out{};
  std::ranges::copy(numbers, out.begin());
  return out;
}

inline double dot(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// Row direction x column direction of an Image Orientation (PS3.3 C.7.6.2.1.1).
inline std::array<double, 3> normal_of(const std::array<double, 6>& o) {
  return {o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3]};
}

// Along the normal of the image plane, mm. Numbers beyond a double's range have no order.
inline std::optional<double> place_of(const std::optional<std::array<double, 3>>& position,
                                      const std::optional<std::array<double, 6>>& orientation) {
  if (!position || !orientation) return std::nullopt;
  const double place = dot(*position, normal_of(*orientation));
  return std::isfinite(place) ? std::optional(place) : std::nullopt;
}

// Compares as slices stand in an archive: by instance number, then place, then name, what is missing behind the others.
// Any order of the input gives the same archive. The name must outlive it.
inline auto order_of(std::optional<double> instance_number, std::optional<double> place, std::string_view name) {
  constexpr double kLast = 1e300;
  return std::tuple(instance_number.value_or(kLast), place.value_or(kLast), name);
}

}  // namespace dicube::series
