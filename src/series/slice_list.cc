#include "series/slice_list.h"

#include <algorithm>
#include <span>

namespace dicube {
namespace {

ByteSpan bytes_of(const std::string& text) { return as_bytes(text); }
template <class T>
ByteSpan bytes_of(const std::optional<T>& value) {
  return value ? std::as_bytes(std::span(&*value, 1)) : ByteSpan();
}

// A plane's fields, each in front of it whether it is there: what is not has no bytes of its own to compare.
template <std::size_t N>
void keep(const std::optional<std::array<double, N>>& field, std::vector<double>& kept) {
  const std::array<double, N> numbers = field.value_or(std::array<double, N>{});
  kept.push_back(field ? 1 : 0);
  kept.insert(kept.end(), numbers.begin(), numbers.end());
}
template <std::size_t N>
void take(std::optional<std::array<double, N>>& field, std::span<const double>& kept) {
  if (kept[0] != 0) std::ranges::copy(kept.subspan(1, N), field.emplace().begin());
  kept = kept.subspan(1 + N);
}
constexpr std::size_t kKeptOfPlane = 1 + 3 + 1 + 6 + 1 + 2;

Bytes bytes_of(const std::vector<Plane>& planes) {
  std::vector<double> kept;
  for (const Plane& plane : planes) {
    keep(plane.position, kept);
    keep(plane.orientation, kept);
    keep(plane.pixel_spacing, kept);
  }
  const ByteSpan bytes = std::as_bytes(std::span(kept));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::vector<Plane> SliceList::Row::operator[](std::vector<Plane> Slice::*field) const {
  const ByteSpan bytes_kept = bytes(field);
  std::vector<double> numbers(bytes_kept.size() / sizeof(double));
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes_kept.data(), bytes_kept.size());
  std::span<const double> kept(numbers);
  std::vector<Plane> planes(numbers.size() / kKeptOfPlane);
  for (Plane& plane : planes) {
    take(plane.position, kept);
    take(plane.orientation, kept);
    take(plane.pixel_spacing, kept);
  }
  return planes;
}

void SliceList::push(const Slice& slice) {
  each_field([&](auto field) { fields_[number_of(field)].push(bytes_of(slice.*field)); });
}

std::size_t SliceList::held_bytes() const {
  std::size_t bytes = 0;
  for (const columns::ValueList& field : fields_) bytes += field.held_bytes();
  return bytes;
}

Slice SliceList::slice(std::size_t number) const {
  Slice out;
  each_field([&](auto field) { out.*field = (*this)[number][field]; });
  return out;
}

}  // namespace dicube
