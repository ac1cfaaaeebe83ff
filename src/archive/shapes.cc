#include "archive/shapes.h"

#include <algorithm>

#include "base/checked.h"
#include "base/result.h"

namespace dicube::archive {
namespace {

// No recipe gives fewer bytes than a thousandth of the pixels, but for small frames: memory is made for no more.
constexpr std::uint64_t kFreePixels = std::uint64_t{16} << 20, kMostRatio = 1024;

}  // namespace

std::optional<std::uint64_t> source_frame_bits(const format::FrameFormat& format) {
  const auto pixels = checked_mul(format.rows, format.columns);
  const std::uint64_t samples = format.subsampled ? 2 : format.samples;
  const auto values = pixels ? checked_mul(*pixels, samples) : std::nullopt;
  return values ? checked_mul(*values, format.bits_allocated) : std::nullopt;
}

unsigned bit_offset(const format::FrameFormat& format, std::uint64_t frames_before) {
  if (format.bits_allocated != 1 || !format.transfer_syntax.empty()) return 0;
  return static_cast<unsigned>(frames_before % 8 * (source_frame_bits(format).value_or(0) % 8) % 8);
}

bool is_as_coded(const format::FrameFormat& format) { return format.swap == 1 && !format.subsampled; }

bool share_groups(const format::FrameFormat& format) {
  return format.swap > 1 && source_frame_bits(format).value_or(0) % (std::uint64_t{8} * format.swap) != 0;
}

codec::Shape coded_shape(const format::FrameFormat& format) {
  codec::Shape shape;
  shape.rows = format.rows;
  shape.columns = format.subsampled ? 2 * format.columns : format.columns;
  shape.samples = format.subsampled ? 1 : format.samples;
  shape.bits = static_cast<std::uint8_t>(format.bits_allocated);
  shape.is_signed = format.is_signed;
  shape.planar = format.planar && !format.subsampled;
  shape.colour = format.colour;
  return shape;
}

codec::Shape read_shape(const format::FrameFormat& format) {
  codec::Shape shape = coded_shape(format);
  shape.columns = format.columns;
  shape.samples = format.samples;
  shape.planar = false;
  return shape;
}

codec::Shape stored_shape(const format::FrameFormat& format, std::size_t bytes) {
  codec::Shape shape = coded_shape(format);
  if (format.bits_allocated != 1) return shape;
  shape.rows = 1;
  shape.columns = static_cast<std::uint32_t>(bytes);
  shape.samples = 1;
  shape.bits = 8;
  shape.is_signed = shape.planar = shape.colour = false;
  return shape;
}

format::FrameFormat decoded_format(format::FrameFormat format) {
  format.transfer_syntax.clear();
  format.planar = format.subsampled = false;
  format.swap = 1;
  return format;
}

Result<std::uint64_t> recipe_pixels(const format::FrameFormat& format, std::uint64_t source_size) {
  const auto size = codec::frame_bytes(coded_shape(decoded_format(format)));
  if (format.bits_allocated == 1)
    return fail(ErrorClass::kDamaged, "a recipe for frames of {} bits", format.bits_allocated);
  if (!size || (*size > kFreePixels && (*size - kFreePixels - 1) / kMostRatio >= source_size))
    return fail(ErrorClass::kLimit, "a recipe for {} bytes of {} x {} pixels", source_size, format.columns,
                format.rows);
  return *size;
}

codec::Shape decoded_shape(const format::FrameFormat& format, bool planar) {
  codec::Shape shape = coded_shape(format.recipe == 0 ? format : decoded_format(format));
  shape.planar = planar;
  return shape;
}

std::uint8_t stored_bits(const format::FrameFormat& format) {
  return static_cast<std::uint8_t>(std::min(format.bits_stored, format.bits_allocated));
}

}  // namespace dicube::archive
