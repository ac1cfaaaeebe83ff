#include "archive/frames.h"

#include <algorithm>
#include <array>

#include "archive/arrangement.h"
#include "codec/colour.h"
#include "codec/jpeg_in_jxl.h"
#include "dicom/uid.h"

namespace dicube::archive {
namespace {

using codec::CodecId;

// A stream this much smaller than the frame says that the frame is simple: zstd may do better than codecs of images.
constexpr std::size_t kSimple = 8;

// No recipe gives fewer bytes than a thousandth of the pixels, but for small frames: memory is made for no more.
constexpr std::uint64_t kFreePixels = std::uint64_t{16} << 20, kMostRatio = 1024;

FaultyCodec::Change faulty_codec;  // empty but in tests

// PS3.6 annex A, those with encapsulated pixels.
constexpr std::array<std::pair<std::string_view, CodecId>, 21> kSyntaxCodecs = {{
    {"1.2.840.10008.1.2.1.98", CodecId::kStored},  // Encapsulated Uncompressed
    {"1.2.840.10008.1.2.5", CodecId::kRle},
    {"1.2.840.10008.1.2.8.1", CodecId::kDeflated},
    {"1.2.840.10008.1.2.4.50", CodecId::kJpeg},
    {"1.2.840.10008.1.2.4.51", CodecId::kJpeg},
    {"1.2.840.10008.1.2.4.53", CodecId::kJpeg},
    {"1.2.840.10008.1.2.4.55", CodecId::kJpeg},
    {"1.2.840.10008.1.2.4.57", CodecId::kJpeg},
    {"1.2.840.10008.1.2.4.70", CodecId::kJpeg},
    {"1.2.840.10008.1.2.4.80", CodecId::kJpegLs},
    {"1.2.840.10008.1.2.4.81", CodecId::kJpegLs},
    {"1.2.840.10008.1.2.4.90", CodecId::kJpeg2000},
    {"1.2.840.10008.1.2.4.91", CodecId::kJpeg2000},
    {"1.2.840.10008.1.2.4.92", CodecId::kJpeg2000},  // multi-component: each frame is a codestream when it has no
                                                     // extensions
    {"1.2.840.10008.1.2.4.93", CodecId::kJpeg2000},
    {"1.2.840.10008.1.2.4.110", CodecId::kJpegXl},
    {"1.2.840.10008.1.2.4.111", CodecId::kJpegXl},
    {"1.2.840.10008.1.2.4.112", CodecId::kJpegXl},
    {"1.2.840.10008.1.2.4.201", CodecId::kHtj2k},
    {"1.2.840.10008.1.2.4.202", CodecId::kHtj2k},
    {"1.2.840.10008.1.2.4.203", CodecId::kHtj2k},
}};

// 1-bit frames need not start or end at a byte: the codec sees the bytes that they touch.
codec::Shape shape_for(const format::FrameFormat& format, std::size_t bytes) {
  codec::Shape shape = coded_shape(format);
  if (format.bits_allocated != 1) return shape;
  shape.rows = 1;
  shape.columns = static_cast<std::uint32_t>(bytes);
  shape.samples = 1;
  shape.bits = 8;
  shape.is_signed = shape.planar = shape.colour = false;
  return shape;
}

bool try_codec(Scratch& scratch, CodecId codec, const codec::Shape& shape, ByteSpan pixels, CodedFrame& best) {
  Bytes stored;
  if (!scratch.codec.encode(codec, shape, pixels, stored)) return false;
  if (stored.size() < best.stored.size() || best.stored.empty()) {
    best.codec = codec;
    best.stored = std::move(stored);
  }
  return true;
}

bool try_lane(Scratch& scratch, const codec::Shape& shape, ByteSpan reference, ByteSpan pixels, CodedFrame& best) {
  if (reference.empty()) return try_codec(scratch, CodecId::kLane, shape, pixels, best);
  const auto codec = scratch.codec.encode_after(shape, reference, pixels, best.stored);
  if (codec) best.codec = *codec;
  return codec.has_value();
}

// HTJ2K for `best`, which is lane, where that saves over 1 %.
void try_htj2k(Scratch& scratch, const codec::Shape& shape, ByteSpan pixels, CodedFrame& best) {
  CodedFrame other;
  constexpr std::uint64_t kPercent = 100;
  if (try_codec(scratch, CodecId::kHtj2k, shape, pixels, other) &&
      best.stored.size() * kPercent > other.stored.size() * (kPercent + 1))
    best = std::move(other);
}

std::uint8_t stored_bits(const format::FrameFormat& format) {
  return static_cast<std::uint8_t>(std::min(format.bits_stored, format.bits_allocated));
}

Status check_out(std::uint64_t expected, std::size_t got) {
  if (expected == got) return {};
  return fail(ErrorClass::kUsage, "a buffer of {} bytes for a frame of {}", got, expected);
}

}  // namespace

FaultyCodec::FaultyCodec(Change change) { faulty_codec = std::move(change); }
FaultyCodec::~FaultyCodec() { faulty_codec = nullptr; }

ScratchPool::Lease ScratchPool::lend() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return {*this, std::make_unique<Scratch>()};
  auto scratch = std::move(idle_.back());
  idle_.pop_back();
  return {*this, std::move(scratch)};
}

void ScratchPool::clear() {
  std::lock_guard lock(mutex_);
  idle_.clear();
}

ScratchPool::Lease::~Lease() {
  std::lock_guard lock(pool_.mutex_);
  pool_.idle_.push_back(std::move(scratch_));
}

std::uint8_t source_precision(const format::FrameFormat& format, ByteSpan source) {
  if ((format.bits_allocated != 8 && format.bits_allocated != 16) || format.is_float) return 0;
  Bytes scratch;
  return codec::needed_precision(coded_shape(format), arranged(format, source, scratch));
}

CodedFrame code_native(Scratch& scratch, const format::FrameFormat& format, std::uint8_t precision, CodecChoice choice,
                       ByteSpan source, ByteSpan reference) {
  codec::Shape shape = shape_for(format, source.size());
  shape.precision = precision;
  const ByteSpan pixels = arranged(format, source, scratch.decoded);
  shape.colour = codec::colour_transform_pays(shape, pixels);
  CodedFrame best;
  const bool is_image =
      choice != CodecChoice::kZstd && choice != CodecChoice::kPlain && format.bits_allocated != 1 && !format.is_float;
  const bool htj2k = choice == CodecChoice::kHtj2k || choice == CodecChoice::kAutoHtj2k;
  bool done = is_image && (htj2k ? try_codec(scratch, CodecId::kHtj2k, shape, pixels, best)
                                 : try_lane(scratch, shape, reference, pixels, best));
  if (is_image && !done)
    done = try_codec(scratch, CodecId::kHtj2k, shape, pixels, best);  // shapes that lanes don't hold
  else if (done && choice == CodecChoice::kAuto)
    try_htj2k(scratch, shape, pixels, best);
  const bool is_auto =
      choice == CodecChoice::kAuto || choice == CodecChoice::kAutoLane || choice == CodecChoice::kAutoHtj2k;
  const bool simple = done && is_auto && best.stored.size() < pixels.size() / kSimple;
  if (!done || simple) try_codec(scratch, CodecId::kZstd, shape, pixels, best);
  if (best.stored.empty() || best.stored.size() >= pixels.size()) {
    best.codec = CodecId::kStored;
    best.stored.assign(pixels.begin(), pixels.end());
  }
  if (faulty_codec) faulty_codec(shape, best);
  return best;
}

namespace {

// Frames with a recipe are coded as what their codestreams decode to, interleaved.
format::FrameFormat decoded_format(format::FrameFormat format) {
  format.transfer_syntax.clear();
  format.planar = format.subsampled = false;
  format.swap = 1;
  return format;
}

// Bytes of the pixels of a frame with a recipe.
Result<std::uint64_t> recipe_pixels(const format::FrameFormat& format, std::uint64_t source_size) {
  const auto size = codec::frame_bytes(coded_shape(decoded_format(format)));
  if (format.bits_allocated == 1)
    return fail(ErrorClass::kDamaged, "a recipe for frames of {} bits", format.bits_allocated);
  if (!size || (*size > kFreePixels && *size / kMostRatio > source_size))
    return fail(ErrorClass::kLimit, "a recipe for {} bytes of {} x {} pixels", source_size, format.columns,
                format.rows);
  return *size;
}

// Recipe 4: what its codec carries ends with the EOI marker; the recipe is what follows.
Result<CodedFrame> code_jpeg(const codec::Shape& shape, ByteSpan stream) {
  const std::size_t end = as_text(stream).rfind("\xFF\xD9");
  if (end == std::string_view::npos) return fail(ErrorClass::kUnsupported, "a JPEG codestream without an end marker");
  const ByteSpan tail = stream.subspan(end + 2);
  CodedFrame coded;
  coded.codec = CodecId::kJpegInXl;
  DICUBE_ASSIGN(coded.stored, codec::jpeg_to_jxl(shape, stream.first(end + 2)));
  coded.recipe_bytes.assign(tail.begin(), tail.end());
  return coded;
}

Result<CodedFrame> code_by_recipe(Scratch& scratch, codec::Recipe recipe, const format::FrameFormat& decoded,
                                  ByteSpan stream, CodecChoice choice) {
  if (recipe == codec::Recipe::kJpegInXl) return code_jpeg(coded_shape(decoded), stream);
  DICUBE_ASSIGN(auto bytes, codec::make_recipe(recipe, coded_shape(decoded), scratch.pixels, stream));
  CodedFrame coded = code_native(scratch, decoded, 0, choice, scratch.pixels);
  coded.recipe_bytes = std::move(bytes);
  return coded;
}

// Nothing unless a recipe gives the codestream and all together is smaller than it.
std::optional<CodedFrame> code_pixels(Scratch& scratch, const format::FrameFormat& format, ByteSpan stream,
                                      CodecChoice choice) {
  const auto codec = codec_of(format, 0);
  const auto recipe = codec ? codec::recipe_for(*codec, stream) : codec::Recipe::kKept;
  const auto size = recipe_pixels(format, stream.size());
  if (recipe == codec::Recipe::kKept || !size) return std::nullopt;
  const format::FrameFormat decoded = decoded_format(format);
  codec::Shape shape = coded_shape(decoded);
  shape.precision = stored_bits(format);
  scratch.pixels.resize(*size);
  if (!scratch.codec.decode(*codec, shape, stream, scratch.pixels)) return std::nullopt;
  auto coded = code_by_recipe(scratch, recipe, decoded, stream, choice);
  if (!coded || coded->stored.size() + coded->recipe_bytes.size() >= stream.size()) return std::nullopt;
  coded->recipe = recipe;
  coded->source_size = stream.size();
  return *std::move(coded);
}

}  // namespace

Status decode(Scratch& scratch, CodecId codec, const codec::Shape& shape, ByteSpan reference, ByteSpan stored,
              MutableByteSpan out) {
  if (codec == CodecId::kLaneInter) return scratch.codec.decode_after(shape, reference, stored, out);
  return scratch.codec.decode(codec, shape, stored, out);
}

codec::Shape decoded_shape(const format::FrameFormat& format, bool planar) {
  codec::Shape shape = coded_shape(format.recipe == 0 ? format : decoded_format(format));
  shape.planar = planar;
  return shape;
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

CodedFrame code_frame(Scratch& scratch, const PixelPlan& plan, ByteSpan bytes, std::size_t frame,
                      std::uint8_t precision, CodecChoice choice, ByteSpan reference) {
  const auto& pieces = plan.frames[frame].pieces;
  if (plan.format.transfer_syntax.empty())
    return code_native(scratch, plan.format, precision, choice, bytes.subspan(pieces[0].offset, pieces[0].size),
                       reference);
  CodedFrame coded;
  for (const auto& piece : pieces) append(coded.stored, bytes.subspan(piece.offset, piece.size));
  if (choice == CodecChoice::kPlain) return coded;
  if (auto smaller = code_pixels(scratch, plan.format, coded.stored, choice)) return *std::move(smaller);
  return coded;
}

Result<CodecId> codec_of(const format::FrameFormat& format, std::uint8_t codec) {
  if (format.has_codec()) {
    if (codec > static_cast<std::uint8_t>(CodecId::kLaneInter))
      return fail(ErrorClass::kUnsupported, "a frame with codec {}, unknown to this version", codec);
    return static_cast<CodecId>(codec);
  }
  const std::string& syntax = format.transfer_syntax;
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
  return codec::check_stream(codec, shape_for(format, bytes), stored, bytes);
}

Status decode_to_source(Scratch& scratch, const format::FrameFormat& format, CodecId codec, ByteSpan stored,
                        MutableByteSpan out, ByteSpan reference) {
  const codec::Shape shape = shape_for(format, out.size());
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
  DICUBE_TRY(scratch.codec.decode(codec, shape_for(format, scratch.decoded.size()), stored, scratch.decoded));
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
