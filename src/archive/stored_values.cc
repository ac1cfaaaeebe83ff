#include "archive/stored_values.h"

#include <algorithm>
#include <limits>

#include "dicom/uid.h"

namespace dicube::archive {
namespace {

template <class T>
void clean(MutableByteSpan pixels, unsigned unused) {
  using Unsigned = std::make_unsigned_t<T>;
  for (std::size_t at = 0; at + sizeof(T) <= pixels.size(); at += sizeof(T)) {
    const auto raised = static_cast<T>(static_cast<Unsigned>(load_le<Unsigned>(pixels.data() + at) << unused));
    store_le(pixels.data() + at, static_cast<Unsigned>(raised >> unused));
  }
}

template <class T>
void saturate(MutableByteSpan pixels, unsigned unused) {
  using Unsigned = std::make_unsigned_t<T>;
  const auto most = static_cast<T>(std::numeric_limits<T>::max() >> unused);
  const auto least = static_cast<T>(std::is_signed_v<T> ? ~most : 0);
  for (std::size_t at = 0; at + sizeof(T) <= pixels.size(); at += sizeof(T)) {
    const auto value = static_cast<T>(load_le<Unsigned>(pixels.data() + at));
    store_le(pixels.data() + at, static_cast<Unsigned>(std::clamp(value, least, most)));
  }
}

}  // namespace

codec::Shape value_shape(const format::FrameFormat& format) {
  codec::Shape shape = read_shape(format);
  shape.precision = static_cast<std::uint8_t>(format.bits_stored == 0 ? format.bits_allocated : format.bits_stored);
  return shape;
}

void clean_upper_bits(const codec::Shape& shape, MutableByteSpan pixels) {
  if (shape.precision >= shape.bits) return;
  const unsigned unused = shape.bits - shape.precision;
  if (shape.bits == 8) shape.is_signed ? clean<std::int8_t>(pixels, unused) : clean<std::uint8_t>(pixels, unused);
  if (shape.bits == 16) shape.is_signed ? clean<std::int16_t>(pixels, unused) : clean<std::uint16_t>(pixels, unused);
  if (shape.bits == 32) shape.is_signed ? clean<std::int32_t>(pixels, unused) : clean<std::uint32_t>(pixels, unused);
}

void saturate_lossy(const format::FrameFormat& format, MutableByteSpan pixels) {
  const codec::Shape shape = value_shape(format);
  if (shape.precision >= shape.bits || format.high_bit + 1 != shape.precision ||
      !dicom::may_be_lossy(format.transfer_syntax))
    return;
  const unsigned unused = shape.bits - shape.precision;
  if (shape.bits == 8) shape.is_signed ? saturate<std::int8_t>(pixels, unused) : saturate<std::uint8_t>(pixels, unused);
  if (shape.bits == 16)
    shape.is_signed ? saturate<std::int16_t>(pixels, unused) : saturate<std::uint16_t>(pixels, unused);
}

}  // namespace dicube::archive
