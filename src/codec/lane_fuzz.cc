// No lane stream harms, and the vectors see every stream as the plain decoder does. The first byte chooses the frame's
// shape; the second one of this machine's vector units, and what is done with the others: they are a stream, or changes
// to a stream that the codec wrote, or a frame.
#include <array>
#include <cstdlib>

#include "codec/fuzz_inputs.h"
#include "codec/lane.h"
#include "codec/lane_samples.h"
#include "codec/lane_simd.h"
#include "codec/lane_targets.h"
#include "codec/lane_testing.h"

// Knows by lane_targets.h which targets there are.
#include <hwy/targets.h>

namespace {

using namespace dicube;
using namespace dicube::codec;

Status in_vectors(const lane::Plane& plane, lane::Size size, const lane::Coded& coded, std::uint16_t* out,
                  const std::uint16_t* reference) {
  static lane::RowBuffers buffers;  // used again after errors, too
  return lane::decode_vectors(plane, size, coded, buffers, out, reference);
}

void decode_both_ways(const Shape& shape, ByteSpan stream) {
  const lane::Size size{shape.rows, shape.columns};
  const auto vectors = lane::testing::decode_planes(stream, size, shape.samples, in_vectors);
  if (size.pixels() <= 30000) {  // the plain decoder takes its time
    const auto plain = lane::testing::decode_planes(stream, size, shape.samples, lane::decode_reference);
    if (plain.has_value() != vectors.has_value() || (plain && *plain != *vectors)) std::abort();
  }
  static Lane lane;
  Bytes pixels(frame_bytes(shape).value());
  const Status status = lane.decode(shape, stream, pixels);
  if (!status && status.error().error_class != ErrorClass::kCodec &&
      status.error().error_class != ErrorClass::kUnsupported)
    std::abort();
  if (status && (!vectors || !Lane::check_size(shape, stream))) std::abort();
}

// Smooth or sparse, and values with a gap below them, in few steps or in many: each opens gaps in a way of its own.
Bytes frame_of(const Shape& shape, unsigned choice) {
  const unsigned kind = choice / 3 % 5;
  Bytes frame = testing::make_frame(shape, kind == 1 ? testing::Kind::kSparse : testing::Kind::kSmooth, choice);
  if (kind < 2) return frame;
  const std::size_t width = shape.bits / 8U;
  for (std::size_t i = 0; i < frame.size(); i += width) {
    unsigned value = std::to_integer<unsigned>(frame[i]);
    value = kind == 2 ? (value < 50 ? 0 : value + 5 * value / 200) : kind == 3 ? value % 20 * 12 : value * 3 / 2;
    frame[i] = static_cast<std::byte>(value);
    if (width == 2) frame[i + 1] = static_cast<std::byte>(value >> 8);
  }
  return frame;
}

void decode_changed(unsigned choice, ByteSpan data) {
  static std::array<Bytes, 256> streams;
  static Lane lane;
  const Shape shape = testing::lane_shape(choice);
  Bytes& coded = streams[choice];
  if (coded.empty() && !lane.encode(shape, frame_of(shape, choice), coded)) std::abort();
  decode_both_ways(shape, testing::changed_stream(coded, data, coded.size()));
}

void round_trip(const Shape& shape, ByteSpan data) {
  static Lane lane;
  const Bytes frame = testing::repeated_frame(shape, data);
  Bytes stream, decoded(frame.size());
  if (!lane.encode(shape, frame, stream) || !lane.decode(shape, stream, decoded) || decoded != frame) std::abort();
}

void decode_both_ways_after(const Shape& shape, ByteSpan reference, ByteSpan stream) {
  const lane::Size size{shape.rows, shape.columns};
  lane::SamplePlane values;
  lane::split(shape, reference, false, &values);
  const lane::testing::Values plane(values.begin(), values.end());
  const auto vectors = lane::testing::decode_planes(stream, size, 1, in_vectors, std::span(&plane, 1));
  if (size.pixels() <= 30000) {
    const auto plain = lane::testing::decode_planes(stream, size, 1, lane::decode_reference, std::span(&plane, 1));
    if (plain.has_value() != vectors.has_value() || (plain && *plain != *vectors)) std::abort();
  }
  static Lane lane;
  Bytes pixels(frame_bytes(shape).value());
  const Status status = lane.decode_after(shape, reference, stream, pixels);
  if (!status && status.error().error_class != ErrorClass::kCodec &&
      status.error().error_class != ErrorClass::kUnsupported)
    std::abort();
  if (status && (!vectors || !Lane::check_size_after(shape, stream))) std::abort();
}

// The stream itself, or changes to one that the codec wrote.
void decode_after(unsigned choice, ByteSpan data, bool changed) {
  const Shape shape = testing::lane_shape_after(choice);
  const Bytes reference = testing::lane_reference(shape, choice);
  if (!changed) return decode_both_ways_after(shape, reference, data);
  static std::array<Bytes, 256> streams;
  static Lane lane;
  Bytes& coded = streams[choice];
  if (coded.empty()) {
    const auto done =
        lane.encode_after(shape, reference, testing::make_frame(shape, testing::Kind::kSmooth, choice), coded);
    if (!done) std::abort();
  }
  decode_both_ways_after(shape, reference, testing::changed_stream(coded, data, coded.size()));
}

void round_trip_after(unsigned choice, ByteSpan data) {
  static Lane lane;
  const Shape shape = testing::lane_shape(choice);
  const Bytes frame = testing::repeated_frame(shape, data),
              reference = testing::make_frame(shape, testing::Kind::kSmooth, choice);
  Bytes stream, decoded(frame.size());
  const auto done = lane.encode_after(shape, reference, frame, stream);
  if (!done) std::abort();
  const bool back = *done == CodecId::kLane ? lane.decode(shape, stream, decoded).has_value()
                                            : lane.decode_after(shape, reference, stream, decoded).has_value();
  if (!back || decoded != frame) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  if (size < 2) return 0;
  hwy::SetSupportedTargetsForTest(targets[bytes[1] / testing::kLaneInputs % targets.size()]);
  const ByteSpan data = std::as_bytes(std::span(bytes, size)).subspan(2);
  using testing::LaneInput;
  switch (static_cast<LaneInput>(bytes[1] % testing::kLaneInputs)) {
    case LaneInput::kStream: decode_both_ways(testing::lane_shape(bytes[0]), data); break;
    case LaneInput::kChanges: decode_changed(bytes[0], data); break;
    case LaneInput::kFrame: round_trip(testing::lane_shape(bytes[0]), data); break;
    case LaneInput::kStreamAfter: decode_after(bytes[0], data, false); break;
    case LaneInput::kChangesAfter: decode_after(bytes[0], data, true); break;
    case LaneInput::kFrameAfter: round_trip_after(bytes[0], data); break;
  }
  return 0;
}
