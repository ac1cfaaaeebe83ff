// No lane stream harms, and the vectors see every stream as the plain decoder does. The first byte chooses the frame's
// shape; the second what is done with the others: they are a stream, or changes to a stream that the codec wrote, or a frame.
#include <array>
#include <cstdlib>

#include "codec/lane.h"
#include "codec/lane_simd.h"
#include "codec/lane_testing.h"
#include "codec/testing.h"

namespace {

using namespace dicube;
using namespace dicube::codec;

Shape shape_of(unsigned choice) {
  constexpr std::array<std::array<std::uint32_t, 2>, 8> kSides = {{{64, 64}, {1, 1}, {17, 5}, {3, 200}, {128, 96}, {33, 33}, {96, 260}, {512, 512}}};
  Shape shape;
  shape.rows = kSides[choice % 8][0];
  shape.columns = kSides[choice % 8][1];
  shape.samples = choice & 8 ? 3 : 1;
  shape.bits = choice & 16 ? 16 : 8;
  shape.is_signed = (choice & 32) != 0;
  shape.planar = (choice & 64) != 0;
  shape.colour = (choice & 128) != 0;
  return shape;
}

Status in_vectors(const lane::Plane& plane, lane::Size size, const lane::Coded& coded, std::uint16_t* out) {
  static lane::RowBuffers buffers;  // used again after errors, too
  return lane::decode_vectors(plane, size, coded, buffers, out);
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
  if (!status && status.error().error_class != ErrorClass::kCodec && status.error().error_class != ErrorClass::kUnsupported) std::abort();
  if (status && !vectors) std::abort();
}

// Each three bytes of `data` change one byte of the stream.
void decode_changed(unsigned choice, ByteSpan data) {
  static std::array<Bytes, 256> streams;
  static Lane lane;
  const Shape shape = shape_of(choice);
  Bytes& coded = streams[choice];
  if (coded.empty() && !lane.encode(shape, testing::make_frame(shape, choice % 3 == 0 ? testing::Kind::kSparse : testing::Kind::kSmooth, choice), coded))
    std::abort();
  Bytes stream = coded;
  for (; data.size() >= 3; data = data.subspan(3)) stream[load_le<std::uint16_t>(data.data()) % stream.size()] ^= data[2];
  decode_both_ways(shape, stream);
}

// The bytes, again and again, make a frame.
void round_trip(const Shape& shape, ByteSpan data) {
  static Lane lane;
  Bytes frame(frame_bytes(shape).value()), stream, decoded(frame.size());
  for (std::size_t i = 0; i < frame.size() && !data.empty(); ++i) frame[i] = data[i % data.size()];
  if (!lane.encode(shape, frame, stream) || !lane.decode(shape, stream, decoded) || decoded != frame) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const ByteSpan data = std::as_bytes(std::span(bytes, size)).subspan(2);
  switch (bytes[1] % 3) {
    case 0: decode_both_ways(shape_of(bytes[0]), data); break;
    case 1: decode_changed(bytes[0], data); break;
    default: round_trip(shape_of(bytes[0]), data); break;
  }
  return 0;
}
