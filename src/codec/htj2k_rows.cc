#include "codec/htj2k_rows.h"

#include <algorithm>

namespace dicube::codec {
namespace {

// Where a component's row starts, in values, and the distance between its values.
struct Place {
  std::size_t begin, step;
};

Place place_of(const Shape& shape, std::uint32_t row, std::uint32_t component) {
  if (shape.planar) return {(std::size_t{component} * shape.rows + row) * shape.columns, 1};
  return {std::size_t{row} * shape.columns * shape.samples + component, shape.samples};
}

template <class T>
T get(const std::byte* from) {
  return static_cast<T>(load_le<std::make_unsigned_t<T>>(from));
}

// A step known to the compiler lets it vectorise.
template <class T, std::size_t kStep>
void load(const std::byte* __restrict from, std::size_t count, std::int32_t* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::int32_t>(get<T>(from + i * kStep * sizeof(T)));
}

// Returns the bits that were ever set in value - least: more than the precision's when a value lies outside of it.
template <class T, std::size_t kStep>
std::uint32_t store(const std::int32_t* __restrict from, std::size_t count, std::uint32_t least,
                    std::byte* __restrict to) {
  std::uint32_t seen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::uint32_t>(from[i]);
    seen |= value - least;
    store_le<T>(to + i * kStep * sizeof(T), static_cast<T>(value));
  }
  return seen;
}

template <class T>
void load(const std::byte* from, std::size_t step, std::size_t count, std::int32_t* to) {
  switch (step) {
    case 1: return load<T, 1>(from, count, to);
    case 2: return load<T, 2>(from, count, to);
    case 3: return load<T, 3>(from, count, to);
    default: return load<T, 4>(from, count, to);
  }
}

template <class T>
std::uint32_t store(const std::int32_t* from, std::size_t count, std::uint32_t least, std::size_t step, std::byte* to) {
  switch (step) {
    case 1: return store<T, 1>(from, count, least, to);
    case 2: return store<T, 2>(from, count, least, to);
    case 3: return store<T, 3>(from, count, least, to);
    default: return store<T, 4>(from, count, least, to);
  }
}

std::uint32_t store(const Shape& shape, const std::int32_t* from, std::uint32_t least, Place place, std::byte* pixels) {
  std::byte* to = pixels + place.begin * (shape.bits / 8U);
  switch (shape.bits) {
    case 8: return store<std::uint8_t>(from, shape.columns, least, place.step, to);
    case 16: return store<std::uint16_t>(from, shape.columns, least, place.step, to);
    default: return store<std::uint32_t>(from, shape.columns, least, place.step, to);
  }
}

// REQUIRES: coded.precision < 32
void clamp(Htj2kComponent coded, std::size_t count, std::int32_t* row) {
  const std::int64_t range = std::int64_t{1} << coded.precision;
  const auto least = static_cast<std::int32_t>(coded.is_signed ? -range / 2 : 0);
  const auto most = static_cast<std::int32_t>(coded.is_signed ? range / 2 - 1 : range - 1);
  for (std::size_t i = 0; i < count; ++i) row[i] = std::clamp(row[i], least, most);
}

// The low bits of each value, read in the other signedness.
void reinterpret(Htj2kComponent coded, std::size_t count, std::int32_t* row) {
  const std::uint32_t mask = (std::uint32_t{1} << coded.precision) - 1;
  const std::uint32_t sign = coded.is_signed ? 0 : std::uint32_t{1} << (coded.precision - 1);
  for (std::size_t i = 0; i < count; ++i)
    row[i] = static_cast<std::int32_t>(((static_cast<std::uint32_t>(row[i]) & mask) ^ sign) - sign);
}

}  // namespace

void load_row(const Shape& shape, ByteSpan pixels, std::uint32_t row, std::uint32_t component, std::int32_t* to) {
  const Place place = place_of(shape, row, component);
  const std::byte* from = pixels.data() + place.begin * (shape.bits / 8U);
  switch (shape.bits) {
    case 8:
      return shape.is_signed ? load<std::int8_t>(from, place.step, shape.columns, to)
                             : load<std::uint8_t>(from, place.step, shape.columns, to);
    case 16:
      return shape.is_signed ? load<std::int16_t>(from, place.step, shape.columns, to)
                             : load<std::uint16_t>(from, place.step, shape.columns, to);
    default: return load<std::int32_t>(from, place.step, shape.columns, to);
  }
}

void store_row(const Shape& shape, Htj2kComponent coded, std::int32_t* from, std::uint32_t row, std::uint32_t component,
               MutableByteSpan pixels) {
  const Place place = place_of(shape, row, component);
  const bool narrow = coded.precision < 32;
  const std::uint32_t least = coded.is_signed && narrow ? 0 - (std::uint32_t{1} << (coded.precision - 1)) : 0;
  const bool other_sign = narrow && coded.is_signed != shape.is_signed && shape.samples == 1;
  const std::uint32_t seen = store(shape, from, least, place, pixels.data());
  if (!narrow || (seen >> coded.precision == 0 && !other_sign)) return;
  clamp(coded, shape.columns, from);
  if (other_sign) reinterpret(coded, shape.columns, from);
  store(shape, from, least, place, pixels.data());
}

}  // namespace dicube::codec
