#include "codec/codec.h"

#include <algorithm>

#include "base/checked.h"
#include "codec/htj2k.h"
#include "codec/zstd.h"

namespace dicube::codec {
namespace {

Status check_size(const Shape& shape, std::size_t size) {
  const auto expected = frame_bytes(shape);
  if (expected && *expected == size) return {};
  return fail(ErrorClass::kUsage, "a frame of {} bytes, {} expected", size, expected.value_or(0));
}

template <class T>
std::uint8_t precision_of(ByteSpan pixels) {
  T low = 0, high = 0;
  for (std::size_t at = 0; at < pixels.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, pixels.data() + at, sizeof(T));
    low = std::min(low, value);
    high = std::max(high, value);
  }
  using U = std::make_unsigned_t<T>;
  const int bits = std::bit_width(static_cast<U>(static_cast<U>(high) | static_cast<U>(low < 0 ? ~low : 0)));
  return static_cast<std::uint8_t>(std::max(1, std::is_signed_v<T> ? bits + 1 : bits));
}

// Every 2^level-th row and column.
void subsample(const Shape& shape, unsigned level, ByteSpan whole, MutableByteSpan out) {
  const Shape target = reduced(shape, level);
  const std::size_t value = shape.bits <= 8 ? 1 : shape.bits / 8u;
  const std::size_t planes = shape.planar ? shape.samples : 1, pixel = shape.planar ? value : value * shape.samples;
  std::byte* to = out.data();
  for (std::size_t plane = 0; plane < planes; ++plane)
    for (std::size_t y = 0; y < target.rows; ++y)
      for (std::size_t x = 0; x < target.columns; ++x, to += pixel)
        std::memcpy(to, whole.data() + ((plane * shape.rows + (y << level)) * shape.columns + (x << level)) * pixel, pixel);
}

}  // namespace

struct Workspace::Impl {
  Htj2k htj2k;
  Bytes whole;
};

Workspace::Workspace() : impl_(std::make_unique<Impl>()) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

std::optional<std::uint64_t> frame_bytes(const Shape& shape) {
  const auto pixels = checked_mul(shape.rows, shape.columns);
  const auto values = pixels ? checked_mul(*pixels, shape.samples) : std::nullopt;
  const auto bits = values ? checked_mul(*values, shape.bits) : std::nullopt;
  if (!bits) return std::nullopt;
  return *bits / 8 + (*bits % 8 != 0);
}

std::uint8_t needed_precision(const Shape& shape, ByteSpan pixels) {
  switch (shape.bits) {
    case 8: return shape.is_signed ? precision_of<std::int8_t>(pixels) : precision_of<std::uint8_t>(pixels);
    case 16: return shape.is_signed ? precision_of<std::int16_t>(pixels) : precision_of<std::uint16_t>(pixels);
    default: return shape.is_signed ? precision_of<std::int32_t>(pixels) : precision_of<std::uint32_t>(pixels);
  }
}

Status Workspace::encode(CodecId codec, const Shape& shape, ByteSpan pixels, Bytes& out) {
  DICUBE_TRY(check_size(shape, pixels.size()));
  switch (codec) {
    case CodecId::kStored: append(out, pixels); return {};
    case CodecId::kZstd: encode_zstd(shape, pixels, out); return {};
    case CodecId::kHtj2k: return impl_->htj2k.encode(shape, pixels, out);
  }
  return fail(ErrorClass::kUnsupported, "unknown codec {}", static_cast<int>(codec));
}

Status Workspace::decode(CodecId codec, const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_TRY(check_size(shape, pixels.size()));
  switch (codec) {
    case CodecId::kStored:
      if (stream.size() != pixels.size())
        return fail(ErrorClass::kCodec, "a stored frame of {} bytes, {} expected", stream.size(), pixels.size());
      if (!stream.empty()) std::memcpy(pixels.data(), stream.data(), stream.size());
      return {};
    case CodecId::kZstd: return decode_zstd(shape, stream, pixels);
    case CodecId::kHtj2k: return impl_->htj2k.decode(shape, stream, 0, true, pixels);
  }
  return fail(ErrorClass::kUnsupported, "unknown codec {}", static_cast<int>(codec));
}

Status Workspace::decode_reduced(CodecId codec, const Shape& shape, ByteSpan stream, unsigned level, MutableByteSpan pixels) {
  if (level == 0) return decode(codec, shape, stream, pixels);
  DICUBE_TRY(check_size(reduced(shape, level), pixels.size()));
  if (codec == CodecId::kHtj2k && level <= levels(codec, stream))
    return impl_->htj2k.decode(shape, stream, level, false, pixels);
  if (shape.bits == 1) return fail(ErrorClass::kUnsupported, "1-bit frames have no reduced resolutions");
  impl_->whole.resize(frame_bytes(shape).value_or(0));
  DICUBE_TRY(decode(codec, shape, stream, impl_->whole));
  subsample(shape, level, impl_->whole, pixels);
  return {};
}

Shape reduced(Shape shape, unsigned level) {
  const std::uint64_t round = (std::uint64_t{1} << level) - 1;
  shape.rows = static_cast<std::uint32_t>((shape.rows + round) >> level);
  shape.columns = static_cast<std::uint32_t>((shape.columns + round) >> level);
  return shape;
}

std::uint64_t prefix_bytes(CodecId codec, ByteSpan head, std::uint64_t stream_size, unsigned level) {
  if (codec != CodecId::kHtj2k) return stream_size;
  const auto header = read_htj2k_header(head);
  if (!header || header->tiles != 1 || header->tile_part_sizes.size() != header->levels + 1 || level > header->levels)
    return stream_size;
  std::uint64_t end = header->first_tile_part;
  for (unsigned part = 0; part <= header->levels - level; ++part) end += header->tile_part_sizes[part];
  return std::min(end, stream_size);
}

unsigned levels(CodecId codec, ByteSpan head) {
  if (codec != CodecId::kHtj2k) return 0;
  const auto header = read_htj2k_header(head);
  return header ? header->levels : 0;
}

std::string_view name(CodecId codec) {
  switch (codec) {
    case CodecId::kStored: return "stored";
    case CodecId::kZstd: return "zstd";
    case CodecId::kHtj2k: return "htj2k";
  }
  return "unknown";
}

std::optional<CodecId> codec_named(std::string_view text) {
  for (CodecId codec : {CodecId::kStored, CodecId::kZstd, CodecId::kHtj2k})
    if (name(codec) == text) return codec;
  return std::nullopt;
}

}  // namespace dicube::codec
