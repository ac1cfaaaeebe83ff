#include "codec/lane_samples.h"

#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_samples.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DU8 = hn::ScalableTag<std::uint8_t>;
using DU16 = hn::ScalableTag<std::uint16_t>;
using VU8 = hn::Vec<DU8>;

// The bytes of three samples apart, for as many pixels as whole vectors hold. Returns how many.
template <class Byte>
std::size_t take_apart(const std::uint8_t* pixels, std::size_t count, SamplePlane* planes) {
  const DU8 d;
  const DU16 d16;
  const hn::RepartitionToWide<hn::ScalableTag<Byte>> wide;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    VU8 samples[3];
    hn::LoadInterleaved3(d, pixels + 3 * i, samples[0], samples[1], samples[2]);
    for (std::size_t sample = 0; sample < 3; ++sample) {
      const auto bytes = hn::BitCast(hn::ScalableTag<Byte>(), samples[sample]);
      std::uint16_t* const to = planes[sample].data() + i;
      hn::StoreU(hn::BitCast(d16, hn::PromoteLowerTo(wide, bytes)), d16, to);
      hn::StoreU(hn::BitCast(d16, hn::PromoteUpperTo(wide, bytes)), d16, to + hn::Lanes(d16));
    }
  }
  return i;
}
std::size_t take_samples_apart(const std::uint8_t* pixels, std::size_t count, bool is_signed, SamplePlane* planes) {
  return is_signed ? take_apart<std::int8_t>(pixels, count, planes) : take_apart<std::uint8_t>(pixels, count, planes);
}

std::size_t put_samples_together(const SamplePlane* planes, std::size_t count, std::uint8_t* pixels) {
  const DU8 d;
  const DU16 d16;
  const auto bytes = [&](const std::uint16_t* from) HWY_ATTR {
    return hn::OrderedTruncate2To(d, hn::LoadU(d16, from), hn::LoadU(d16, from + hn::Lanes(d16)));
  };
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreInterleaved3(bytes(planes[0].data() + i), bytes(planes[1].data() + i), bytes(planes[2].data() + i), d,
                          pixels + 3 * i);
  return i;
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(take_samples_apart);
HWY_EXPORT(put_samples_together);

namespace {

// Where the values of one sample stand.
struct Places {
  std::size_t first, step;
};
Places places_of(const Shape& shape, unsigned sample) {
  const std::size_t width = shape.bits / 8U, pixels = std::size_t{shape.rows} * shape.columns;
  if (shape.planar) return {sample * pixels * width, width};
  return {sample * width, shape.samples * width};
}
bool has_bytes_in_threes(const Shape& shape) { return shape.bits == 8 && shape.samples == 3 && !shape.planar; }

// From value `done` on. Steps of one value are said apart for the compiler's vectors.
template <class T>
void gather(ByteSpan pixels, Places places, std::size_t done, SamplePlane& plane) {
  const std::byte* const from = pixels.data() + places.first;
  std::uint16_t* const to = plane.data();
  const std::size_t count = plane.size();
  const auto value = [from](std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<T>(load_le<std::make_unsigned_t<T>>(from + at)));
  };
  if (places.step == sizeof(T))
    for (std::size_t i = done; i < count; ++i) to[i] = value(i * sizeof(T));
  else
    for (std::size_t i = done; i < count; ++i) to[i] = value(i * places.step);
}

template <class T>
void scatter(const SamplePlane& plane, Places places, std::size_t done, MutableByteSpan pixels) {
  const std::uint16_t* const from = plane.data();
  std::byte* const to = pixels.data() + places.first;
  const std::size_t count = plane.size();
  if (places.step == sizeof(T))
    for (std::size_t i = done; i < count; ++i) store_le(to + i * sizeof(T), static_cast<T>(from[i]));
  else
    for (std::size_t i = done; i < count; ++i) store_le(to + i * places.step, static_cast<T>(from[i]));
}

void to_luma(SamplePlane* planes) {
  std::uint16_t *const first = planes[0].data(), *const second = planes[1].data(), *const third = planes[2].data();
  const std::size_t count = planes[0].size();
  for (std::size_t i = 0; i < count; ++i) {
    const int r = static_cast<std::int16_t>(first[i]), g = static_cast<std::int16_t>(second[i]),
              b = static_cast<std::int16_t>(third[i]);
    first[i] = static_cast<std::uint16_t>((r + 2 * g + b) >> 2);
    second[i] = static_cast<std::uint16_t>(b - g);
    third[i] = static_cast<std::uint16_t>(r - g);
  }
}
void to_colours(SamplePlane* planes) {
  std::uint16_t *const first = planes[0].data(), *const second = planes[1].data(), *const third = planes[2].data();
  const std::size_t count = planes[0].size();
  for (std::size_t i = 0; i < count; ++i) {
    const int y = static_cast<std::int16_t>(first[i]), u = static_cast<std::int16_t>(second[i]),
              v = static_cast<std::int16_t>(third[i]);
    const int g = y - ((u + v) >> 2);
    first[i] = static_cast<std::uint16_t>(v + g);
    second[i] = static_cast<std::uint16_t>(g);
    third[i] = static_cast<std::uint16_t>(u + g);
  }
}

}  // namespace

void split(const Shape& shape, ByteSpan pixels, bool colour, SamplePlane* planes) {
  const std::size_t count = std::size_t{shape.rows} * shape.columns;
  for (unsigned sample = 0; sample < shape.samples; ++sample) planes[sample].resize(count);
  std::size_t done = 0;
  if (has_bytes_in_threes(shape))
    done = HWY_DYNAMIC_DISPATCH(take_samples_apart)(reinterpret_cast<const std::uint8_t*>(pixels.data()), count,
                                                    shape.is_signed, planes);
  for (unsigned sample = 0; sample < shape.samples; ++sample) {
    const Places places = places_of(shape, sample);
    if (shape.bits == 16)
      gather<std::uint16_t>(pixels, places, done, planes[sample]);
    else if (shape.is_signed)
      gather<std::int8_t>(pixels, places, done, planes[sample]);
    else
      gather<std::uint8_t>(pixels, places, done, planes[sample]);
  }
  if (colour) to_luma(planes);
}

void join(const Shape& shape, bool colour, SamplePlane* planes, MutableByteSpan pixels) {
  if (colour) to_colours(planes);
  std::size_t done = 0;
  if (has_bytes_in_threes(shape))
    done = HWY_DYNAMIC_DISPATCH(put_samples_together)(planes, planes[0].size(),
                                                      reinterpret_cast<std::uint8_t*>(pixels.data()));
  for (unsigned sample = 0; sample < shape.samples; ++sample) {
    const Places places = places_of(shape, sample);
    if (shape.bits == 16)
      scatter<std::uint16_t>(planes[sample], places, done, pixels);
    else
      scatter<std::uint8_t>(planes[sample], places, done, pixels);
  }
}

}  // namespace dicube::codec::lane
#endif
