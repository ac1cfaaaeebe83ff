#include "codec/codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <new>
#include <type_traits>

#include "codec/foreign.h"
#include "codec/htj2k.h"
#include "codec/jpeg_in_jxl.h"
#include "codec/lane.h"
#include "codec/lossy.h"
#include "codec/zstd.h"

namespace dicube::codec {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"stored", "zstd", "htj2k", "lane", "jpeg-in-jxl", "lane-inter"};
constexpr std::array<std::string_view, 6> kForeignNames = {"rle", "deflated", "jpeg", "jpegls", "jpeg2000", "jpegxl"};
constexpr std::size_t kFirstForeign = static_cast<std::size_t>(CodecId::kRle);

Status check_frame(const Shape& shape, std::size_t size) {
  constexpr std::array<unsigned, 5> kContainers = {1, 8, 16, 32, 64};
  if (std::find(kContainers.begin(), kContainers.end(), shape.bits) == kContainers.end())
    return fail(ErrorClass::kUnsupported, "values of {} bits; 1, 8, 16, 32 or 64 expected", shape.bits);
  const auto expected = frame_bytes(shape);
  if (!expected)
    return fail(ErrorClass::kUsage, "a frame of {} x {} x {} values is over 64 bits of bytes", shape.columns,
                shape.rows, shape.samples);
  if (*expected != size)
    return fail(ErrorClass::kUsage, "{} bytes of pixels, {} x {} x {} values of {} bits have {}", size, shape.columns,
                shape.rows, shape.samples, shape.bits, *expected);
  return {};
}

// The bits that any magnitude of T's sets: the value itself, or its complement when it is negative.
template <class T>
std::uint8_t precision_of(ByteSpan pixels) {
  using Unsigned = std::make_unsigned_t<T>;
  const std::byte* from = pixels.data();
  const std::size_t count = pixels.size() / sizeof(T);
  Unsigned seen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<T>(load_le<Unsigned>(from + i * sizeof(T)));
    if constexpr (std::is_signed_v<T>)
      seen = static_cast<Unsigned>(seen | static_cast<Unsigned>(value ^ (value >> (8 * sizeof(T) - 1))));
    else
      seen = static_cast<Unsigned>(seen | value);
  }
  return static_cast<std::uint8_t>(std::max(1, static_cast<int>(std::bit_width(seen)) + (std::is_signed_v<T> ? 1 : 0)));
}

Status unfit(CodecId codec) {
  return fail(ErrorClass::kUnsupported, "{} codes interleaved values of whole bytes", name(codec));
}

// In these syntaxes a few bytes may well decode to gigabytes: of blank pixels, JPEG-LS codes 32,768 in a bit, JPEG XL a
// group of 256 x 256 in a dozen, progressive JPEG 32,767 blocks in 15, and JPEG 2000 as many as there are in a hundred
// bytes. A blank image of the largest detector is free, of JPEG-LS and JPEG 2000 one of 16,384 x 16,384; of more a few
// bytes are wanted: of JPEG XL, whose decoder takes 40 bytes of memory a value, as many as a blank image has.
struct Most {
  std::uint64_t free, per_byte;  // pixels
};
constexpr Most kMostInJpeg{1 << 26, 1 << 12}, kMostInJpegLs{1 << 28, 1 << 12}, kMostInJpeg2000{1 << 28, 1 << 12},
    kMostInJpegXl{1 << 26, 1 << 14};

Status check_pixels(std::string_view codec, const Shape& shape, ByteSpan stream, const Most& allowed) {
  const std::uint64_t pixels = std::uint64_t{shape.rows} * shape.columns,
                      most = allowed.free + allowed.per_byte * stream.size();
  if (pixels <= most) return {};
  return fail(ErrorClass::kLimit, "{} codestream: {} pixels in {} bytes, at most {} allowed", codec, pixels,
              stream.size(), most);
}

Status decode_foreign(CodecId codec, const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  if (shape.bits == 1) return fail(ErrorClass::kUnsupported, "{} codestreams of packed bits", name(codec));
  switch (codec) {
    case CodecId::kRle: return decode_rle(shape, stream, pixels);
    case CodecId::kDeflated: return decode_deflated(shape, stream, pixels);
    case CodecId::kJpeg:
      DICUBE_TRY(check_pixels("JPEG", shape, stream, kMostInJpeg));
      return decode_jpeg(shape, stream, pixels);
    case CodecId::kJpegLs:
      DICUBE_TRY(check_pixels("JPEG-LS", shape, stream, kMostInJpegLs));
      return decode_jpegls(shape, stream, pixels);
    case CodecId::kJpeg2000:
      DICUBE_TRY(check_pixels("JPEG 2000", shape, stream, kMostInJpeg2000));
      return decode_jpeg2000(shape, stream, pixels);
    case CodecId::kJpegXl:
      DICUBE_TRY(check_pixels("JPEG XL", shape, stream, kMostInJpegXl));
      return decode_jpegxl(shape, stream, pixels);
    case CodecId::kJpegInXl: return decode_jpeg_in_jxl(shape, stream, pixels);
    default: break;
  }
  return fail(ErrorClass::kUnsupported, "unknown codec {}", static_cast<unsigned>(codec));
}

// Whether no bit of the codestream's numbers is above those that count. Other ones (old overlays, a sign that was not
// extended) are words whose means mean nothing.
bool holds_values(const Htj2kHeader& header, const Shape& shape) {
  return shape.precision == 0 || std::ranges::all_of(header.component, [&](const Htj2kComponent& component) {
           return component.precision <= shape.precision;
         });
}

constexpr std::uint64_t kMostReused = std::uint64_t{64} << 20;

// A header may promise any size: memory that is not touched before the decoder has looked at the stream.
Result<std::unique_ptr<std::byte[]>> untouched(std::uint64_t size) try {
  return std::make_unique_for_overwrite<std::byte[]>(size);
} catch (const std::bad_alloc&) {
  return fail(ErrorClass::kLimit, "a frame of {} bytes: more than there is memory for", size);
}

}  // namespace

struct Workspace::Impl {
  Htj2k htj2k;
  Zstd zstd;
  Lane lane;
  Bytes whole;

  Status decode_reduced_htj2k(const Htj2kHeader& header, const Shape& shape, ByteSpan stream, unsigned level,
                              MutableByteSpan pixels);
};

Workspace::Workspace() : impl_(std::make_unique<Impl>()) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

void thin_out(const Shape& shape, ByteSpan whole, unsigned level, MutableByteSpan pixels) {
  const Shape target = reduced(shape, level);
  const std::size_t planes = shape.planar ? shape.samples : 1;
  const std::size_t pixel = shape.planar ? 1 : shape.samples;  // values
  std::fill(pixels.begin(), pixels.end(), std::byte{0});
  std::size_t at = 0;
  for (std::size_t p = 0; p < planes; ++p)
    for (std::size_t y = 0; y < target.rows; ++y)
      for (std::size_t x = 0; x < target.columns; ++x, at += pixel) {
        const std::size_t from = ((p * shape.rows + (y << level)) * shape.columns + (x << level)) * pixel;
        if (shape.bits == 1) {
          for (std::size_t i = 0; i < pixel; ++i)
            pixels[(at + i) / 8] |= (whole[(from + i) / 8] >> (from + i) % 8 & std::byte{1}) << (at + i) % 8;
        } else {
          const std::size_t width = shape.bits / 8U;
          std::memcpy(pixels.data() + at * width, whole.data() + from * width, pixel * width);
        }
      }
}

std::uint8_t needed_precision(const Shape& shape, ByteSpan pixels) {
  switch (shape.bits) {
    case 8: return shape.is_signed ? precision_of<std::int8_t>(pixels) : precision_of<std::uint8_t>(pixels);
    case 16: return shape.is_signed ? precision_of<std::int16_t>(pixels) : precision_of<std::uint16_t>(pixels);
    default: return shape.is_signed ? precision_of<std::int32_t>(pixels) : precision_of<std::uint32_t>(pixels);
  }
}

Status Workspace::encode(CodecId codec, const Shape& shape, ByteSpan pixels, Bytes& out) {
  DICUBE_TRY(check_frame(shape, pixels.size()));
  switch (codec) {
    case CodecId::kStored: append(out, pixels); return {};
    case CodecId::kZstd: return impl_->zstd.encode(shape, pixels, out);
    case CodecId::kHtj2k: return impl_->htj2k.encode(shape, pixels, out);
    case CodecId::kLane: return impl_->lane.encode(shape, pixels, out);
    case CodecId::kRle: return shape.planar || shape.bits == 1 ? unfit(codec) : encode_rle(shape, pixels, out);
    case CodecId::kJpegLs: return shape.planar ? unfit(codec) : encode_jpegls(shape, pixels, out);
    case CodecId::kJpeg2000: return shape.planar ? unfit(codec) : encode_jpeg2000(shape, pixels, out);
    case CodecId::kJpegXl: return shape.planar ? unfit(codec) : encode_jpegxl(shape, pixels, out);
    case CodecId::kLaneInter: return fail(ErrorClass::kUsage, "{} needs a reference", name(codec));
    case CodecId::kDeflated:
    case CodecId::kJpegInXl:
    case CodecId::kJpeg: return fail(ErrorClass::kUnsupported, "{} is only decoded", name(codec));
    default: break;
  }
  return fail(ErrorClass::kUnsupported, "unknown codec {}", static_cast<unsigned>(codec));
}

Result<std::uint32_t> Workspace::encode_lossy(CodecId codec, const Shape& shape, ByteSpan pixels, Loss loss,
                                              Bytes& out) {
  DICUBE_TRY(check_frame(shape, pixels.size()));
  if (shape.bits != 8 && shape.bits != 16)
    return fail(ErrorClass::kUnsupported, "losses in {}-bit values; 8 or 16 supported", shape.bits);
  if (shape.planar) return tl::unexpected<Error>(unfit(codec).error());
  return code_lossy(*this, impl_->htj2k, codec, shape, pixels, loss, out);
}

Status Workspace::decode(CodecId codec, const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_TRY(check_frame(shape, pixels.size()));
  switch (codec) {
    case CodecId::kStored:
      if (stream.size() != pixels.size())
        return fail(ErrorClass::kCodec, "a stored frame of {} bytes, {} expected", stream.size(), pixels.size());
      if (!stream.empty()) std::memcpy(pixels.data(), stream.data(), stream.size());
      return {};
    case CodecId::kZstd: return impl_->zstd.decode(shape, stream, pixels);
    case CodecId::kHtj2k: return impl_->htj2k.decode(shape, stream, pixels);
    case CodecId::kLane: return impl_->lane.decode(shape, stream, pixels);
    case CodecId::kLaneInter: return fail(ErrorClass::kUsage, "{} needs a reference", name(codec));
    default: return decode_foreign(codec, shape, stream, pixels);
  }
}

Result<CodecId> Workspace::encode_after(const Shape& shape, ByteSpan reference, ByteSpan pixels, Bytes& out) {
  DICUBE_TRY(check_frame(shape, pixels.size()));
  return impl_->lane.encode_after(shape, reference, pixels, out);
}

Bytes Workspace::shared_head(const Shape& shape, std::span<const ByteSpan> frames,
                             std::span<const ByteSpan> references) {
  const auto fits = [&](ByteSpan frame) { return check_frame(shape, frame.size()).has_value(); };
  if (!std::ranges::all_of(frames, fits) || !std::ranges::all_of(references, fits)) return {};
  return impl_->lane.shared_head(shape, frames, references);
}

Status Workspace::encode_headed(const Shape& shape, ByteSpan head, ByteSpan pixels, Bytes& out, ByteSpan reference) {
  DICUBE_TRY(check_frame(shape, pixels.size()));
  return impl_->lane.encode_headed(shape, head, pixels, out, reference);
}

Result<Promise> Workspace::promise(const Shape& shape, ByteSpan reference, ByteSpan pixels) {
  DICUBE_TRY(check_frame(shape, pixels.size()));
  return impl_->lane.promise(shape, reference, pixels);
}

Status Workspace::decode_after(const Shape& shape, ByteSpan reference, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_TRY(check_frame(shape, pixels.size()));
  return impl_->lane.decode_after(shape, reference, stream, pixels);
}

Status Workspace::decode_reduced(CodecId codec, const Shape& shape, ByteSpan stream, unsigned level,
                                 MutableByteSpan pixels) {
  if (level == 0) return decode(codec, shape, stream, pixels);
  level = std::min(level, 32U);  // one pixel is left by then
  DICUBE_TRY(check_frame(reduced(shape, level), pixels.size()));
  if (codec == CodecId::kHtj2k) {
    DICUBE_ASSIGN(const auto header, read_htj2k_header(stream));
    if (holds_values(header, shape)) return impl_->decode_reduced_htj2k(header, shape, stream, level, pixels);
  }
  const auto size = frame_bytes(shape);
  if (!size) return fail(ErrorClass::kUsage, "a frame of {} x {} values is too large", shape.columns, shape.rows);
  if (*size <= kMostReused) {
    impl_->whole.resize(*size);
    DICUBE_TRY(decode(codec, shape, stream, impl_->whole));
    thin_out(shape, impl_->whole, level, pixels);
    return {};
  }
  DICUBE_ASSIGN(const auto memory, untouched(*size));
  const MutableByteSpan whole(memory.get(), *size);
  DICUBE_TRY(decode(codec, shape, stream, whole));
  thin_out(shape, whole, level, pixels);
  return {};
}

// Reduces as far as the codestream does, then thins out.
Status Workspace::Impl::decode_reduced_htj2k(const Htj2kHeader& header, const Shape& shape, ByteSpan stream,
                                             unsigned level, MutableByteSpan pixels) {
  if (level <= header.levels) return htj2k.decode_reduced(header, shape, stream, level, pixels);
  const Shape least = reduced(shape, header.levels);
  DICUBE_TRY(check_htj2k_shape(header, shape));
  whole.resize(frame_bytes(least).value_or(0));
  DICUBE_TRY(htj2k.decode_reduced(header, shape, stream, header.levels, whole));
  thin_out(least, whole, level - header.levels, pixels);
  return {};
}

Status check_stream(CodecId codec, const Shape& shape, ByteSpan stream, std::uint64_t bytes) {
  switch (codec) {
    case CodecId::kStored:
      if (stream.size() == bytes) return {};
      return fail(ErrorClass::kCodec, "a stored frame of {} bytes, {} expected", stream.size(), bytes);
    case CodecId::kZstd: return Zstd::check_size(stream, bytes);
    case CodecId::kHtj2k: {
      DICUBE_ASSIGN(const auto header, read_htj2k_header(stream));
      return check_htj2k_shape(header, shape);
    }
    case CodecId::kLane: return Lane::check_size(shape, stream);
    case CodecId::kLaneInter: return Lane::check_size_after(shape, stream);
    default: return {};
  }
}

Status check_source(CodecId codec, const Shape& shape, ByteSpan stream) {
  switch (codec) {
    case CodecId::kJpeg:
    case CodecId::kJpegLs: return check_jpeg_source(shape, stream);
    case CodecId::kHtj2k:
      DICUBE_TRY(check_stream(codec, shape, stream, 0));  // its size is the shape's
      return check_jpeg2000_source(shape, stream);
    case CodecId::kJpeg2000: return check_jpeg2000_source(shape, stream);
    default: return {};
  }
}

Shape reduced(Shape shape, unsigned level) {
  const auto halved = [level](std::uint32_t side) {
    if (level >= 32) return std::uint32_t{side > 0 ? 1U : 0U};
    return static_cast<std::uint32_t>((side + (std::uint64_t{1} << level) - 1) >> level);
  };
  shape.rows = halved(shape.rows);
  shape.columns = halved(shape.columns);
  return shape;
}

bool codes_values(CodecId codec) {
  return codec == CodecId::kHtj2k || codec == CodecId::kLane || codec == CodecId::kJpegInXl ||
         codec == CodecId::kLaneInter || static_cast<std::uint8_t>(codec) >= static_cast<std::uint8_t>(CodecId::kJpeg);
}

std::string_view name(CodecId codec) {
  const auto id = static_cast<std::size_t>(codec);
  if (id >= kFirstForeign && id - kFirstForeign < kForeignNames.size()) return kForeignNames[id - kFirstForeign];
  return id < kNames.size() ? kNames[id] : "unknown";
}

}  // namespace dicube::codec
