#include "archive/frames.h"

#include <algorithm>
#include <array>

#include "archive/arrangement.h"
#include "archive/shapes.h"
#include "codec/jpeg_in_jxl.h"
#include "codec/recipe.h"
#include "dicom/uid.h"

namespace dicube::archive {
namespace {

using codec::CodecId;

// Those with encapsulated pixels.
constexpr std::array<std::pair<std::string_view, CodecId>, 21> kSyntaxCodecs = {{
    {dicom::kEncapsulatedUncompressedUid, CodecId::kStored},
    {dicom::kRleUid, CodecId::kRle},
    {dicom::kDeflatedFramesUid, CodecId::kDeflated},
    {dicom::kJpegBaselineUid, CodecId::kJpeg},
    {dicom::kJpegExtendedUid, CodecId::kJpeg},
    {dicom::kJpegSpectralUid, CodecId::kJpeg},
    {dicom::kJpegProgressiveUid, CodecId::kJpeg},
    {dicom::kJpegLosslessAnyUid, CodecId::kJpeg},
    {dicom::kJpegLosslessUid, CodecId::kJpeg},
    {dicom::kJpegLsUid, CodecId::kJpegLs},
    {dicom::kJpegLsNearUid, CodecId::kJpegLs},
    {dicom::kJpeg2000LosslessUid, CodecId::kJpeg2000},
    {dicom::kJpeg2000Uid, CodecId::kJpeg2000},
    {dicom::kJpeg2000Part2LosslessUid, CodecId::kJpeg2000},  // a frame is a codestream when it has no extensions
    {dicom::kJpeg2000Part2Uid, CodecId::kJpeg2000},
    {dicom::kJpegXlLosslessUid, CodecId::kJpegXl},
    {dicom::kJpegXlOfJpegUid, CodecId::kJpegXl},
    {dicom::kJpegXlUid, CodecId::kJpegXl},
    {dicom::kHtj2kLosslessUid, CodecId::kHtj2k},
    {dicom::kHtj2kLosslessRpclUid, CodecId::kHtj2k},
    {dicom::kHtj2kUid, CodecId::kHtj2k},
}};

Status check_out(std::uint64_t expected, std::size_t got) {
  if (expected == got) return {};
  return fail(ErrorClass::kUsage, "a buffer of {} bytes for a frame of {}", got, expected);
}

}  // namespace

Status decode(Scratch& scratch, CodecId codec, const codec::Shape& shape, ByteSpan reference, ByteSpan stored,
              MutableByteSpan out) {
  if (codec == CodecId::kLaneInter) return scratch.codec.decode_after(shape, reference, stored, out);
  return scratch.codec.decode(codec, shape, stored, out);
}

Status follow_recipe(Scratch& scratch, const format::FrameFormat& format, const format::Frame& frame, ByteSpan stored,
                     Bytes& out, ByteSpan reference) {
  DICUBE_ASSIGN(const auto parts, format::split_frame(stored));
  DICUBE_ASSIGN(const auto size, recipe_pixels(format, frame.source_size));
  DICUBE_ASSIGN(const auto codec, codec_of(format, frame));
  const codec::Shape shape = coded_shape(decoded_format(format));
  const auto recipe = static_cast<codec::Recipe>(format.recipe);
  Bytes bytes = format.recipe_head;
  append(bytes, parts.recipe);
  if (recipe == codec::Recipe::kJpegInXl) {
    const std::size_t start = out.size();
    if (codec != CodecId::kJpegInXl || bytes.size() > frame.source_size)
      return fail(ErrorClass::kDamaged, "a JPEG codestream of {} bytes, {} of them in its recipe, in codec {}",
                  frame.source_size, bytes.size(), frame.codec);
    DICUBE_TRY(codec::jpeg_from_jxl(shape, parts.pixels, frame.source_size - bytes.size(), out));
    append(out, bytes);
    if (out.size() - start == frame.source_size) return {};
    return fail(ErrorClass::kDamaged, "a JPEG codestream of {} bytes, {} expected", out.size() - start,
                frame.source_size);
  }
  DICUBE_TRY(codec::check_stream(codec, shape, parts.pixels, size));
  scratch.pixels.resize(size);
  DICUBE_TRY(decode(scratch, codec, shape, reference, parts.pixels, scratch.pixels));
  return codec::follow_recipe(recipe, shape, scratch.pixels, bytes, frame.source_size, out);
}

Result<CodecId> codec_of(const format::FrameFormat& format, std::uint8_t codec) {
  if (format.has_codec()) {
    if (codec > static_cast<std::uint8_t>(CodecId::kLaneInter))
      return fail(ErrorClass::kUnsupported, "a frame with codec {}, unknown to this version", codec);
    return static_cast<CodecId>(codec);
  }
  return codec_of_syntax(format.transfer_syntax);
}

Result<CodecId> codec_of_syntax(std::string_view syntax) {
  if (const auto* found = std::find_if(kSyntaxCodecs.begin(), kSyntaxCodecs.end(),
                                       [&](const auto& known) { return known.first == syntax; });
      found != kSyntaxCodecs.end())
    return found->second;
  if (dicom::is_video(syntax))
    return fail(ErrorClass::kUnsupported, "pixels are video in transfer syntax {}: kept byte for byte, not decoded",
                syntax);
  return fail(ErrorClass::kUnsupported, "pixels in transfer syntax {} can't be decoded", syntax);
}

Result<CodecId> codec_of(const format::FrameFormat& format, const format::Frame& frame) {
  if (format.has_codec() && frame.codec == static_cast<std::uint8_t>(CodecId::kLaneInter) && frame.back == 0)
    return fail(ErrorClass::kUnsupported, "a frame after a reference that the archive does not name");
  return codec_of(format, frame.codec);
}

Status check_stream(const format::FrameFormat& format, CodecId codec, ByteSpan stored, std::uint64_t bytes) {
  return codec::check_stream(codec, stored_shape(format, bytes), stored, bytes);
}

Status decode_to_source(Scratch& scratch, const format::FrameFormat& format, CodecId codec, ByteSpan stored,
                        MutableByteSpan out, ByteSpan reference) {
  const codec::Shape shape = stored_shape(format, out.size());
  DICUBE_TRY(decode(scratch, codec, shape, reference, stored, out));
  arrange_back(format, out);
  return {};
}

namespace {

// A frame at 1/2^level, in the layout of its codec.
Status decode_level(Scratch& scratch, CodecId codec, const codec::Shape& shape, ByteSpan reference, ByteSpan stored,
                    unsigned level, MutableByteSpan out) {
  if (codec != CodecId::kLaneInter) return scratch.codec.decode_reduced(codec, shape, stored, level, out);
  if (level == 0) return decode(scratch, codec, shape, reference, stored, out);
  scratch.decoded.resize(codec::frame_bytes(shape).value_or(0));
  DICUBE_TRY(decode(scratch, codec, shape, reference, stored, scratch.decoded));
  codec::thin_out(shape, scratch.decoded, level, out);
  return {};
}

// Packed bits, of which the frame's first is the one at `bit_offset`.
Status decode_bits(Scratch& scratch, const format::FrameFormat& format, CodecId codec, ByteSpan stored,
                   unsigned bit_offset, MutableByteSpan out) {
  scratch.decoded.resize((bit_offset + out.size() + 7) / 8);
  DICUBE_TRY(scratch.codec.decode(codec, stored_shape(format, scratch.decoded.size()), stored, scratch.decoded));
  expand_bits(scratch.decoded, bit_offset, out);
  return {};
}

// Without the byte that pads a fragment of values which are not compressed to an even length (PS3.5 A.4).
ByteSpan without_padding(const format::FrameFormat& format, CodecId codec, const codec::Shape& shape, ByteSpan stored) {
  const bool is_padded = codec == CodecId::kStored && !format.transfer_syntax.empty() && !stored.empty() &&
                         stored.size() == codec::frame_bytes(shape).value_or(0) + 1;
  return is_padded ? stored.first(stored.size() - 1) : stored;
}

}  // namespace

Status decode_to_public(Scratch& scratch, const format::FrameFormat& format, CodecId codec, ByteSpan stored,
                        unsigned level, unsigned bit_offset, MutableByteSpan out, ByteSpan reference) {
  const PixelFormat target = Archive::reduced(public_format(format), level);
  DICUBE_TRY(check_out(target.frame_bytes(), out.size()));
  codec::Shape shape = coded_shape(format);
  shape.precision = stored_bits(format);
  if (codec::codes_values(codec) || codec == CodecId::kRle || format.recipe != 0)
    shape.planar = false;  // they have a layout of their own
  stored = without_padding(format, codec, shape, stored);
  if (shape.bits == 1 && codec::codes_values(codec)) shape.bits = 8;  // a value per byte
  if (shape.bits == 1) {
    if (level != 0) return fail(ErrorClass::kUnsupported, "1-bit frames have no reduced resolutions");
    return decode_bits(scratch, format, codec, stored, bit_offset, out);
  }
  if (!shape.planar && !format.subsampled) return decode_level(scratch, codec, shape, reference, stored, level, out);
  if (format.subsampled && level != 0)
    return fail(ErrorClass::kUnsupported, "subsampled colour frames have no reduced resolutions");
  scratch.decoded.resize(codec::frame_bytes(codec::reduced(shape, level)).value_or(0));
  DICUBE_TRY(decode_level(scratch, codec, shape, reference, stored, level, scratch.decoded));
  if (format.subsampled)
    expand_422(format, scratch.decoded, out);
  else
    interleave(scratch.decoded, shape.samples, target.bytes_per_value(), out);
  return {};
}

PixelFormat public_format(const format::FrameFormat& format) {
  PixelFormat out;
  out.rows = format.rows;
  out.columns = format.columns;
  out.samples = format.samples;
  out.bits_allocated = format.bits_allocated;
  out.bits_stored = format.bits_stored;
  out.high_bit = format.high_bit;
  out.is_signed = format.is_signed;
  out.is_float = format.is_float;
  out.photometric = format.photometric;
  return out;
}

}  // namespace dicube::archive
