#include "archive/code_frame.h"

#include "archive/arrangement.h"
#include "archive/frames.h"
#include "archive/shapes.h"
#include "codec/colour.h"
#include "codec/jpeg_in_jxl.h"

namespace dicube::archive {
namespace {

using codec::CodecId;

// A stream this much smaller than the frame says that the frame is simple: zstd may do better than codecs of images.
constexpr std::size_t kSimple = 8;
// So is trying it on frames of so few bytes, of which the parameters of other codecs take a part.
constexpr std::size_t kTiny = 1024;
// Lane takes nine times a frame's memory, zstd behind its filters five times, HTJ2K not twice: larger ones go in that.
constexpr std::size_t kLargeFrame = std::size_t{32} << 20;

FaultyCodec::Change faulty_codec;  // empty but in tests

bool is_large(std::uint64_t frame_bytes) { return frame_bytes > kLargeFrame; }

bool is_auto(CodecChoice choice) {
  return choice == CodecChoice::kAuto || choice == CodecChoice::kAutoLane || choice == CodecChoice::kAutoHtj2k;
}

bool try_codec(Scratch& scratch, CodecId codec, const codec::Shape& shape, ByteSpan pixels, CodedFrame& best) {
  Bytes stored;
  if (!scratch.codec.encode(codec, shape, pixels, stored)) return false;
  if (stored.size() < best.stored.size() || best.stored.empty()) {
    best.codec = codec;
    best.stored = std::move(stored);
    best.head_bytes = 0;
  }
  return true;
}

bool try_lane(Scratch& scratch, const codec::Shape& shape, const Beside& beside, ByteSpan pixels, CodedFrame& best) {
  if (!beside.head.empty() && scratch.codec.encode_headed(shape, beside.head, pixels, best.stored, beside.reference)) {
    best.codec = beside.reference.empty() ? CodecId::kLane : CodecId::kLaneInter;
    best.head_bytes = beside.head.size();
    return true;
  }
  if (beside.reference.empty()) return try_codec(scratch, CodecId::kLane, shape, pixels, best);
  const auto codec = scratch.codec.encode_after(shape, beside.reference, pixels, best.stored);
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

}  // namespace

FaultyCodec::FaultyCodec(Change change) { faulty_codec = std::move(change); }
FaultyCodec::~FaultyCodec() { faulty_codec = nullptr; }

std::uint8_t source_precision(const format::FrameFormat& format, ByteSpan source) {
  if ((format.bits_allocated != 8 && format.bits_allocated != 16) || format.is_float) return 0;
  Bytes scratch;
  return codec::needed_precision(coded_shape(format), arranged(format, source, scratch));
}

bool is_large(const format::FrameFormat& format) { return is_large(source_frame_bits(format).value_or(0) / 8); }

CodedFrame code_native(Scratch& scratch, const format::FrameFormat& format, std::uint8_t precision, CodecChoice choice,
                       ByteSpan source, const Beside& beside) {
  codec::Shape shape = stored_shape(format, source.size());
  shape.precision = precision;
  const ByteSpan pixels = arranged(format, source, scratch.decoded);
  shape.colour = codec::colour_transform_pays(shape, pixels);
  CodedFrame best;
  if (is_auto(choice) && is_large(pixels.size())) choice = CodecChoice::kHtj2k;
  const bool is_image =
      choice != CodecChoice::kZstd && choice != CodecChoice::kPlain && format.bits_allocated != 1 && !format.is_float;
  const bool htj2k = choice == CodecChoice::kHtj2k || choice == CodecChoice::kAutoHtj2k;
  bool done = is_image && (htj2k ? try_codec(scratch, CodecId::kHtj2k, shape, pixels, best)
                                 : try_lane(scratch, shape, beside, pixels, best));
  if (is_image && !done)
    done = try_codec(scratch, CodecId::kHtj2k, shape, pixels, best);  // shapes that lanes don't hold
  else if (done && choice == CodecChoice::kAuto)
    try_htj2k(scratch, shape, pixels, best);
  const bool simple = best.stored.size() < pixels.size() / kSimple || pixels.size() <= kTiny;
  if (!done || (is_auto(choice) && simple) || best.stored.size() >= pixels.size())
    try_codec(scratch, CodecId::kZstd, shape, pixels, best);
  if (best.stored.empty() || best.stored.size() >= pixels.size()) {
    best.codec = CodecId::kStored;
    best.stored.assign(pixels.begin(), pixels.end());
    best.head_bytes = 0;
  }
  if (faulty_codec) faulty_codec(shape, best);
  return best;
}

namespace {

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

std::string told(const Status& status) {
  return !status && status.error().error_class == ErrorClass::kCodec ? status.error().message : "";
}

// Why it can't be decoded: what looks broken is tried, unless that takes long for so few bytes.
std::string defect_of(Scratch& scratch, const format::FrameFormat& format, ByteSpan stream) {
  constexpr std::uint64_t kMostTried = 64;  // bytes of pixels for each of the stream
  const auto codec = codec_of_syntax(format.transfer_syntax);
  const auto size = recipe_pixels(format, stream.size());
  const codec::Shape shape = coded_shape(decoded_format(format));
  if (!codec || !size) return {};
  const Status looks = codec::check_source(*codec, shape, stream);
  if (looks || *size > kMostTried * stream.size()) return told(looks);
  scratch.pixels.resize(*size);
  return told(scratch.codec.decode(*codec, shape, stream, scratch.pixels));
}

// Nothing unless a recipe gives the codestream and all together is smaller than it. `defect`: see CodedFrame.
std::optional<CodedFrame> code_pixels(Scratch& scratch, const format::FrameFormat& format, ByteSpan stream,
                                      CodecChoice choice, std::string& defect) {
  const auto codec = codec_of(format, 0);
  const auto recipe = codec ? codec::recipe_for(*codec, stream) : codec::Recipe::kKept;
  const auto size = recipe_pixels(format, stream.size());
  if (recipe == codec::Recipe::kKept || !size) return std::nullopt;
  const format::FrameFormat decoded = decoded_format(format);
  codec::Shape shape = coded_shape(decoded);
  shape.precision = stored_bits(format);
  scratch.pixels.resize(*size);
  if (const Status status = scratch.codec.decode(*codec, shape, stream, scratch.pixels); !status) {
    defect = told(status);
    return std::nullopt;
  }
  auto coded = code_by_recipe(scratch, recipe, decoded, stream, choice);
  if (!coded || coded->stored.size() + coded->recipe_bytes.size() >= stream.size()) return std::nullopt;
  coded->recipe = recipe;
  coded->source_size = stream.size();
  return *std::move(coded);
}

}  // namespace

CodedFrame code_frame(Scratch& scratch, const PixelPlan& plan, ByteSpan bytes, std::size_t frame,
                      std::uint8_t precision, CodecChoice choice, const Beside& beside) {
  const ByteSpan source = frame_source(plan, bytes, frame, scratch.pixels);
  if (plan.format.transfer_syntax.empty()) return code_native(scratch, plan.format, precision, choice, source, beside);
  CodedFrame coded;
  coded.stored.assign(source.begin(), source.end());
  if (choice == CodecChoice::kPlain) return coded;
  if (auto smaller = code_pixels(scratch, plan.format, coded.stored, choice, coded.defect)) return *std::move(smaller);
  if (coded.defect.empty()) coded.defect = defect_of(scratch, plan.format, coded.stored);
  return coded;
}

}  // namespace dicube::archive
