#include "archive/frames.h"

#include <algorithm>
#include <array>

#include "codec/colour.h"
#include "codec/jpeg_in_jxl.h"
#include "dicom/uid.h"

namespace dicube::archive {
namespace {

using codec::CodecId;

// A stream this much smaller than the frame says that the frame is simple: zstd may do better than a wavelet.
constexpr std::size_t kSimple = 8;

// No recipe gives fewer bytes than a thousandth of the pixels, but for small frames: memory is made for no more.
constexpr std::uint64_t kFreePixels = std::uint64_t{16} << 20, kMostRatio = 1024;

FaultyCodec::Change faulty_codec;  // empty but in tests

void swap_groups(MutableByteSpan bytes, std::size_t group) {
  for (std::size_t at = 0; at + group <= bytes.size(); at += group)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 bytes.begin() + static_cast<std::ptrdiff_t>(at + group));
}

// Y1 Y2 Cb Cr of every two pixels of a row (PS3.3 C.7.6.3.1.2) <-> the row's Y, its Cb, its Cr: neighbours are alike.
enum class Order422 : std::uint8_t { kPairs, kPlanes };

void reorder_422(Order422 to, std::size_t row_bytes, MutableByteSpan frame) {
  Bytes row(row_bytes);
  const std::size_t cb = row_bytes / 2, cr = row_bytes / 4 * 3;
  for (std::size_t start = 0; start < frame.size(); start += row_bytes) {
    std::byte* const values = frame.data() + start;
    const auto place = [&](std::size_t in_pairs, std::size_t in_planes) {
      if (to == Order422::kPlanes)
        row[in_planes] = values[in_pairs];
      else
        row[in_pairs] = values[in_planes];
    };
    for (std::size_t pair = 0; pair < row_bytes / 4; ++pair) {
      place(4 * pair, 2 * pair);
      place(4 * pair + 1, 2 * pair + 1);
      place(4 * pair + 2, cb + pair);
      place(4 * pair + 3, cr + pair);
    }
    std::memcpy(values, row.data(), row_bytes);
  }
}

std::size_t row_bytes_422(const format::FrameFormat& format) { return std::size_t{2} * format.columns; }

void arrange_back(const format::FrameFormat& format, MutableByteSpan frame) {
  if (format.subsampled) reorder_422(Order422::kPairs, row_bytes_422(format), frame);
  if (format.swap > 1) swap_groups(frame, format.swap);
}

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
void try_wavelet(Scratch& scratch, const codec::Shape& shape, ByteSpan pixels, CodedFrame& best) {
  CodedFrame wavelet;
  constexpr std::uint64_t kPercent = 100;
  if (try_codec(scratch, CodecId::kHtj2k, shape, pixels, wavelet) &&
      best.stored.size() * kPercent > wavelet.stored.size() * (kPercent + 1))
    best = std::move(wavelet);
}

// RRR GGG BBB -> RGB RGB
void interleave(ByteSpan planes, std::size_t samples, std::size_t value, MutableByteSpan out) {
  const std::size_t pixels = planes.size() / samples / value;
  for (std::size_t s = 0; s < samples; ++s)
    for (std::size_t i = 0; i < pixels; ++i)
      std::memcpy(out.data() + (i * samples + s) * value, planes.data() + (s * pixels + i) * value, value);
}

// Rows of Y, Cb, Cr -> Y1 Cb Cr Y2 Cb Cr
void expand_422(std::size_t row_bytes, ByteSpan rows, MutableByteSpan out) {
  std::size_t to = 0;
  for (std::size_t start = 0; start < rows.size(); start += row_bytes) {
    const ByteSpan row = rows.subspan(start, row_bytes);
    for (std::size_t pixel = 0; pixel < row_bytes / 2; ++pixel, to += 3) {
      out[to] = row[pixel];
      out[to + 1] = row[row_bytes / 2 + pixel / 2];
      out[to + 2] = row[row_bytes / 4 * 3 + pixel / 2];
    }
  }
}

// PS3.5 8.1.1: the first pixel is the lowest bit of the first byte.
void expand_bits(ByteSpan packed, unsigned offset, MutableByteSpan out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t bit = offset + i;
    out[i] = packed[bit / 8] >> (bit % 8) & std::byte{1};
  }
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

ScratchPool::Lease::~Lease() {
  std::lock_guard lock(pool_.mutex_);
  pool_.idle_.push_back(std::move(scratch_));
}

ByteSpan arranged(const format::FrameFormat& format, ByteSpan source, Bytes& scratch) {
  if (is_as_coded(format)) return source;
  scratch.assign(source.begin(), source.end());
  if (format.swap > 1) swap_groups(scratch, format.swap);
  if (format.subsampled) reorder_422(Order422::kPlanes, row_bytes_422(format), scratch);
  return scratch;
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
  const bool wavelet = choice == CodecChoice::kHtj2k || choice == CodecChoice::kAutoWavelet;
  bool done = is_image && (wavelet ? try_codec(scratch, CodecId::kHtj2k, shape, pixels, best)
                                   : try_lane(scratch, shape, reference, pixels, best));
  if (is_image && !done)
    done = try_codec(scratch, CodecId::kHtj2k, shape, pixels, best);  // shapes that lanes don't hold
  else if (done && choice == CodecChoice::kAuto)
    try_wavelet(scratch, shape, pixels, best);
  const bool is_auto =
      choice == CodecChoice::kAuto || choice == CodecChoice::kAutoLane || choice == CodecChoice::kAutoWavelet;
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
  DICUBE_TRY(codec == CodecId::kLaneInter ? scratch.codec.decode_after(shape, reference, parts.pixels, scratch.pixels)
                                          : scratch.codec.decode(codec, shape, parts.pixels, scratch.pixels));
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
  DICUBE_TRY(codec == CodecId::kLaneInter ? scratch.codec.decode_after(shape, reference, stored, out)
                                          : scratch.codec.decode(codec, shape, stored, out));
  arrange_back(format, out);
  return {};
}

Status decode_to_public(Scratch& scratch, const format::FrameFormat& format, CodecId codec, ByteSpan stored,
                        unsigned level, unsigned bit_offset, MutableByteSpan out, ByteSpan reference) {
  const PixelFormat target = Archive::reduced(public_format(format), level);
  DICUBE_TRY(check_out(target.frame_bytes(), out.size()));
  codec::Shape shape = coded_shape(format);
  shape.precision = stored_bits(format);
  if (codec::codes_values(codec) || codec == CodecId::kRle || format.recipe != 0)
    shape.planar = false;  // they have a layout of their own
  if (codec == CodecId::kStored && !format.transfer_syntax.empty() && !stored.empty() &&
      stored.size() == codec::frame_bytes(shape).value_or(0) + 1)
    stored = stored.first(stored.size() - 1);  // a fragment's padding to even length
  if (codec == CodecId::kLaneInter && !format.subsampled) {
    if (level == 0) return scratch.codec.decode_after(shape, reference, stored, out);
    scratch.decoded.resize(codec::frame_bytes(shape).value_or(0));
    DICUBE_TRY(scratch.codec.decode_after(shape, reference, stored, scratch.decoded));
    codec::thin_out(shape, scratch.decoded, level, out);
    return {};
  }
  if (format.bits_allocated == 1 && codec::codes_values(codec)) shape.bits = 8;  // a value per byte
  if (shape.bits == 1) {
    if (level != 0) return fail(ErrorClass::kUnsupported, "1-bit frames have no reduced resolutions");
    scratch.decoded.resize((bit_offset + out.size() + 7) / 8);
    DICUBE_TRY(scratch.codec.decode(codec, shape_for(format, scratch.decoded.size()), stored, scratch.decoded));
    expand_bits(scratch.decoded, bit_offset, out);
    return {};
  }
  if (!shape.planar && !format.subsampled) return scratch.codec.decode_reduced(codec, shape, stored, level, out);
  if (format.subsampled && level != 0)
    return fail(ErrorClass::kUnsupported, "subsampled colour frames have no reduced resolutions");
  const codec::Shape small = codec::reduced(shape, level);
  scratch.decoded.resize(codec::frame_bytes(small).value_or(0));
  DICUBE_TRY(codec == CodecId::kLaneInter ? scratch.codec.decode_after(shape, reference, stored, scratch.decoded)
                                          : scratch.codec.decode_reduced(codec, shape, stored, level, scratch.decoded));
  if (format.subsampled)
    expand_422(row_bytes_422(format), scratch.decoded, out);
  else
    interleave(scratch.decoded, shape.samples, target.bytes_per_value(), out);
  return {};
}

Bytes packed_bits(ByteSpan values) {
  Bytes bits((values.size() + 7) / 8);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != std::byte{0}) bits[i / 8] |= std::byte{1} << (i % 8);
  return bits;
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
