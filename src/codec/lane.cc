#include "codec/lane.h"

#include <algorithm>
#include <utility>

#include "codec/colour.h"
#include "codec/lane_encoder.h"
#include "codec/lane_inter.h"
#include "codec/lane_reference.h"
#include "codec/lane_samples.h"
#include "codec/lane_simd.h"

namespace dicube::codec {
namespace {

using lane::Size;

// ON DISK: DO NOT CHANGE. spec/lane.md
constexpr std::uint8_t kColourFlag = 1, kReferenceFlag = 2;

// Pixels of frames that may share parameters: larger ones hardly save bytes by it. So many frames are worth it, and so
// many of them show what parameters are like.
constexpr std::uint64_t kMostSharing = std::uint64_t{1} << 14;
constexpr std::size_t kFewestSharing = 4, kShowing = 8;
// Frames are too unlike where one of them gets larger by such a part.
constexpr std::size_t kUnlike = 32;

Status check_shape(const Shape& shape) {
  if (shape.bits != 8 && shape.bits != 16)
    return fail(ErrorClass::kUnsupported, "lane: {}-bit values; 8 or 16 supported", shape.bits);
  if (shape.samples != 1 && shape.samples != 3)
    return fail(ErrorClass::kUnsupported, "lane: {} samples; 1 or 3 supported", shape.samples);
  if (shape.rows < 1 || shape.columns < 1 || shape.rows > lane::kMostSide || shape.columns > lane::kMostSide)
    return fail(ErrorClass::kUnsupported, "lane: {} x {} pixels; 1 to {} supported", shape.columns, shape.rows,
                lane::kMostSide);
  return {};
}

// The only plane of a frame, when it stands in memory as planes are coded; else nothing.
template <class Span>
auto in_place(const Shape& shape, Span pixels) {
  using Value = std::conditional_t<std::is_const_v<typename Span::element_type>, const std::uint16_t, std::uint16_t>;
  const bool is_there = shape.bits == 16 && shape.samples == 1 && std::endian::native == std::endian::little &&
                        reinterpret_cast<std::uintptr_t>(pixels.data()) % alignof(std::uint16_t) == 0;
  return is_there ? std::span<Value>(reinterpret_cast<Value*>(pixels.data()), pixels.size() / 2) : std::span<Value>();
}

// The smallest and the largest value, of type T modulo 2^16.
template <class T>
std::pair<std::int32_t, std::int32_t> extent_of(std::span<const std::uint16_t> values) {
  T low = static_cast<T>(values[0]), high = low;
  for (const std::uint16_t value : values) {
    low = std::min(low, static_cast<T>(value));
    high = std::max(high, static_cast<T>(value));
  }
  return {low, high};
}

// Version and flags; returns whether there is a colour transform.
Result<bool> read_start(const Shape& shape, bool has_reference, ByteReader& in) {
  if (in.left() < 2) return fail(ErrorClass::kCodec, "lane stream: {} bytes", in.left());
  const auto version = in.get<std::uint8_t>().value(), flags = in.get<std::uint8_t>().value();
  if (version != lane::kVersion)
    return fail(ErrorClass::kUnsupported,
                "lane stream of version {}, of another version of this program, which reads it; this one knows {}",
                version, lane::kVersion);
  const bool colour = (flags & kColourFlag) != 0;
  if (flags > (kColourFlag | kReferenceFlag) || (colour && (shape.samples != 3 || shape.bits != 8)))
    return fail(ErrorClass::kCodec, "lane stream: flags {:#x} with {} samples of {} bits", flags, shape.samples,
                shape.bits);
  if (((flags & kReferenceFlag) != 0) != has_reference)
    return fail(ErrorClass::kCodec, "lane stream: flags {:#x} of a frame {} reference", flags,
                has_reference ? "with a" : "without");
  return colour;
}

Status check_reference(ByteSpan reference, std::size_t expected) {
  if (reference.size() == expected) return {};
  return fail(ErrorClass::kUsage, "lane: a reference of {} bytes for a frame of {}", reference.size(), expected);
}

}  // namespace

struct Lane::Impl {
  lane::PlaneEncoder encoder;
  lane::RowBuffers buffers;
  lane::SamplePlane planes[3], reference_planes[3];
  lane::ReferencePlane references[3];

  // `reference`: empty for none.
  Result<CodecId> encode(const Shape& shape, ByteSpan reference, ByteSpan pixels, Bytes& out);
  Promise promise(const Shape& shape, ByteSpan reference, ByteSpan pixels);
  Bytes make_head(const Shape& shape, std::span<const ByteSpan> frames, std::span<const ByteSpan> frames_before);
  template <class Work>
  bool for_each_plane(const Shape& shape, ByteSpan reference, ByteSpan pixels, const Work& work);
  Status decode(const Shape& shape, ByteSpan reference, ByteSpan stream, MutableByteSpan pixels);
  std::array<std::span<const std::uint16_t>, 3> planes_of_reference(const Shape& shape, ByteSpan reference,
                                                                    bool colour);
  Status decode_plane(Size size, const std::uint16_t* reference, ByteReader& in, std::uint16_t* out);
};

Lane::Lane() : impl_(std::make_unique<Impl>()) {}
Lane::~Lane() = default;

Status Lane::encode(const Shape& shape, ByteSpan pixels, Bytes& out) {
  DICUBE_TRY(check_shape(shape));
  DICUBE_TRY(impl_->encode(shape, {}, pixels, out));
  return {};
}

namespace {

// Some of all, for several of which there is enough of them.
std::vector<ByteSpan> some_of(std::span<const ByteSpan> all) {
  std::vector<ByteSpan> some;
  for (std::size_t i = 0, count = std::min(all.size(), kShowing); i < count; ++i)
    some.push_back(all[i * (all.size() - 1) / (count - 1)]);
  return some;
}

Bytes joined(std::span<const ByteSpan> frames) {
  Bytes all;
  for (const ByteSpan frame : frames) append(all, frame);
  return all;
}

}  // namespace

Bytes Lane::shared_head(const Shape& shape, std::span<const ByteSpan> all, std::span<const ByteSpan> all_references) {
  if (shape.samples != 1 || Size{shape.rows, shape.columns}.pixels() > kMostSharing || all.size() < kFewestSharing)
    return {};
  const std::vector<ByteSpan> frames = some_of(all);
  const std::vector<ByteSpan> references = all_references.empty() ? std::vector<ByteSpan>() : some_of(all_references);
  const Bytes head = impl_->make_head(shape, frames, references);
  if (head.empty()) return {};
  std::size_t own = 0, shared = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Bytes alone, headed;
    const ByteSpan reference = references.empty() ? ByteSpan() : references[i];
    if (!impl_->encode(shape, reference, frames[i], alone)) return {};
    if (!encode_headed(shape, head, frames[i], headed, reference)) continue;
    own += alone.size();
    shared += headed.size() - head.size();
    if (headed.size() - head.size() > alone.size() + alone.size() / kUnlike) return {};
  }
  return (shared + head.size() * frames.size() / all.size()) < own ? head : Bytes();
}

// Empty where there are no parameters for all frames.
Bytes Lane::Impl::make_head(const Shape& shape, std::span<const ByteSpan> frames,
                            std::span<const ByteSpan> frames_before) {
  Shape tall = shape;
  tall.rows = static_cast<std::uint32_t>(shape.rows * frames.size());
  if (!check_shape(tall)) return {};
  std::optional<lane::Plane> parameters;
  for_each_plane(tall, joined(frames_before), joined(frames),
                 [&](auto values, std::int32_t low, std::int32_t high, const lane::ReferencePlane* before) {
                   const std::int32_t lowest = shape.is_signed ? -(1 << (shape.bits - 1)) : 0;
                   parameters = encoder.shared_parameters(values, {shape.rows, shape.columns}, frames.size(), low, high,
                                                          lowest, before);
                 });
  if (!parameters) return {};
  ByteWriter head;
  head.put(lane::kVersion);
  head.put(frames_before.empty() ? std::uint8_t{0} : kReferenceFlag);
  lane::write_plane(*parameters, head);
  return head.take();
}

Status Lane::encode_headed(const Shape& shape, ByteSpan head, ByteSpan pixels, Bytes& out, ByteSpan reference) {
  DICUBE_TRY(check_shape(shape));
  if (!reference.empty()) DICUBE_TRY(check_reference(reference, pixels.size()));
  if (shape.samples != 1) return fail(ErrorClass::kUnsupported, "lane: a head for {} samples", shape.samples);
  ByteReader in(head, "lane head");
  DICUBE_TRY(read_start(shape, !reference.empty(), in));
  DICUBE_ASSIGN(const auto parameters, lane::read_plane(in, !reference.empty()));
  ByteWriter stream;
  bool holds = false;
  impl_->for_each_plane(
      shape, reference, pixels,
      [&](auto values, std::int32_t low, std::int32_t high, const lane::ReferencePlane* before) {
        holds = impl_->encoder.encode_as(parameters, values, {shape.rows, shape.columns}, low, high, stream, before);
      });
  if (!holds) return fail(ErrorClass::kUnsupported, "lane: values that the head does not hold");
  append(out, head.first(2));
  append(out, stream.bytes());
  return {};
}

Result<CodecId> Lane::encode_after(const Shape& shape, ByteSpan reference, ByteSpan pixels, Bytes& out) {
  DICUBE_TRY(check_shape(shape));
  DICUBE_TRY(check_reference(reference, pixels.size()));
  return impl_->encode(shape, reference, pixels, out);
}

Result<Promise> Lane::promise(const Shape& shape, ByteSpan reference, ByteSpan pixels) {
  DICUBE_TRY(check_shape(shape));
  DICUBE_TRY(check_reference(reference, pixels.size()));
  return impl_->promise(shape, reference, pixels);
}

std::array<std::span<const std::uint16_t>, 3> Lane::Impl::planes_of_reference(const Shape& shape, ByteSpan reference,
                                                                              bool colour) {
  if (const std::span<const std::uint16_t> only = in_place(shape, reference); !only.empty()) return {only};
  lane::split(shape, reference, colour, reference_planes);
  std::array<std::span<const std::uint16_t>, 3> all;
  for (unsigned sample = 0; sample < shape.samples; ++sample) all[sample] = reference_planes[sample];
  return all;
}

// Calls `work` with the values of each plane, the smallest and the largest of them, and the plane's reference. Returns
// whether planes are those of the colour transform.
template <class Work>
bool Lane::Impl::for_each_plane(const Shape& shape, ByteSpan reference, ByteSpan pixels, const Work& work) {
  const bool colour = colour_transform_pays_beside_gaps(shape, pixels);
  const std::span<const std::uint16_t> only = in_place(shape, pixels);
  if (only.empty()) lane::split(shape, pixels, colour, planes);
  if (!reference.empty()) {
    const auto reference_values = planes_of_reference(shape, reference, colour);
    for (unsigned sample = 0; sample < shape.samples; ++sample)
      references[sample].assign(reference_values[sample], {shape.rows, shape.columns});
  }
  for (unsigned sample = 0; sample < shape.samples; ++sample) {
    const std::span<const std::uint16_t> plane = only.empty() ? planes[sample] : only;
    const auto [low, high] =
        shape.is_signed || colour ? extent_of<std::int16_t>(plane) : extent_of<std::uint16_t>(plane);
    work(plane, low, high, reference.empty() ? nullptr : &references[sample]);
  }
  return colour;
}

Result<CodecId> Lane::Impl::encode(const Shape& shape, ByteSpan reference, ByteSpan pixels, Bytes& out) {
  ByteWriter stream(std::move(out));
  stream.put(lane::kVersion);
  const std::size_t flags = stream.size();
  stream.put(std::uint8_t{0});
  bool refers = false;
  const bool colour =
      for_each_plane(shape, reference, pixels,
                     [&](auto values, std::int32_t low, std::int32_t high, const lane::ReferencePlane* before) {
                       refers |= encoder.encode(values, {shape.rows, shape.columns}, low, high, stream, before);
                     });
  out = stream.take();
  out[flags] = static_cast<std::byte>((colour ? kColourFlag : 0) | (refers ? kReferenceFlag : 0));
  return refers ? CodecId::kLaneInter : CodecId::kLane;
}

Promise Lane::Impl::promise(const Shape& shape, ByteSpan reference, ByteSpan pixels) {
  Promise all;
  for_each_plane(shape, reference, pixels,
                 [&](auto values, std::int32_t low, std::int32_t high, const lane::ReferencePlane* before) {
                   const Promise own = encoder.promise(values, {shape.rows, shape.columns}, low, high, *before);
                   all.alone += own.alone;
                   all.after += own.after;
                 });
  return all;
}

// Values modulo 2^16.
Status Lane::Impl::decode_plane(Size size, const std::uint16_t* reference, ByteReader& in, std::uint16_t* out) {
  DICUBE_ASSIGN(const auto plane, lane::read_plane(in, reference != nullptr));
  if (plane.range == 0) {
    std::fill(out, out + size.pixels(), static_cast<std::uint16_t>(plane.low));
    return {};
  }
  DICUBE_ASSIGN(const auto parts, lane::read_coded(plane, size, in));
  return lane::decode_vectors(plane, size, parts, buffers, out, reference);
}

namespace {

Status check_parts(const Shape& shape, bool has_reference, ByteSpan stream) {
  DICUBE_TRY(check_shape(shape));
  ByteReader in(stream, "lane stream");
  DICUBE_TRY(read_start(shape, has_reference, in));
  for (unsigned sample = 0; sample < shape.samples; ++sample) {
    DICUBE_ASSIGN(const auto plane, lane::read_plane(in, has_reference));
    if (plane.range > 0) DICUBE_TRY(lane::read_coded(plane, {shape.rows, shape.columns}, in));
  }
  return {};
}

}  // namespace

Status Lane::check_size(const Shape& shape, ByteSpan stream) { return check_parts(shape, false, stream); }
Status Lane::check_size_after(const Shape& shape, ByteSpan stream) { return check_parts(shape, true, stream); }

Status Lane::decode(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_TRY(check_shape(shape));
  return impl_->decode(shape, {}, stream, pixels);
}

Status Lane::decode_after(const Shape& shape, ByteSpan reference, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_TRY(check_shape(shape));
  DICUBE_TRY(check_reference(reference, pixels.size()));
  return impl_->decode(shape, reference, stream, pixels);
}

Status Lane::Impl::decode(const Shape& shape, ByteSpan reference, ByteSpan stream, MutableByteSpan pixels) {
  const Size size{shape.rows, shape.columns};
  ByteReader in(stream, "lane stream");
  DICUBE_ASSIGN(const bool colour, read_start(shape, !reference.empty(), in));
  const std::span<std::uint16_t> only = in_place(shape, pixels);
  std::array<std::span<const std::uint16_t>, 3> reference_values;
  if (!reference.empty()) reference_values = planes_of_reference(shape, reference, colour);
  for (unsigned sample = 0; sample < shape.samples; ++sample) {
    if (only.empty()) planes[sample].resize(size.pixels());
    DICUBE_TRY(
        decode_plane(size, reference_values[sample].data(), in, only.empty() ? planes[sample].data() : only.data()));
  }
  if (in.left() > 0) return fail(ErrorClass::kCodec, "lane stream: ends at byte {} but has {}", in.at(), stream.size());
  if (only.empty()) lane::join(shape, colour, planes, pixels);
  return {};
}

}  // namespace dicube::codec
