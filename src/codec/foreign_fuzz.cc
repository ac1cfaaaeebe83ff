// Hostile codestreams of other syntaxes never harm. The first byte chooses the codec and what is done with the others:
// they are a stream, or changes to a stream that an encoder wrote, or the pixels of a frame. The second chooses the
// shape.
#include <array>
#include <cstdlib>

#include "codec/codec.h"
#include "codec/testing.h"

namespace {

using namespace dicube;
using namespace dicube::codec;

constexpr std::array kCodecs = {CodecId::kRle,    CodecId::kDeflated, CodecId::kJpeg,
                                CodecId::kJpegLs, CodecId::kJpeg2000, CodecId::kJpegXl};

Shape shape_of(unsigned choice) {
  constexpr std::array<std::array<std::uint32_t, 2>, 8> kSides = {
      {{64, 64}, {1, 1}, {17, 5}, {3, 200}, {100, 100}, {33, 33}, {256, 256}, {8, 8}}};
  Shape shape = testing::chosen_shape(choice, kSides);
  shape.planar = false;  // codestreams have a layout of their own
  shape.colour = (choice & 64) != 0;
  return shape;
}

void decode(Workspace& work, CodecId codec, const Shape& shape, ByteSpan stream) {
  static Bytes pixels;
  pixels.resize(frame_bytes(shape).value());
  const Status done = work.decode(codec, shape, stream, pixels);
  if (!done && (done.error().error_class == ErrorClass::kUsage || done.error().message.empty())) std::abort();
}

void decode_changed(Workspace& work, CodecId codec, unsigned choice, ByteSpan data) {
  const Shape shape = shape_of(choice);
  Bytes stream;
  if (!work.encode(codec, shape, testing::make_frame(shape, testing::Kind::kSmooth, 1), stream) || stream.empty())
    return;
  decode(work, codec, shape, testing::changed_stream(std::move(stream), data, 4096));
}

void round_trip(Workspace& work, CodecId codec, const Shape& shape, ByteSpan data) {
  const Bytes frame = testing::repeated_frame(shape, data);
  Bytes stream, decoded(frame.size());
  if (!work.encode(codec, shape, frame, stream)) return;
  if (!work.decode(codec, shape, stream, decoded) || decoded != frame) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static Workspace work;
  if (size < 2) return 0;
  const ByteSpan data = std::as_bytes(std::span(bytes, size)).subspan(2);
  const CodecId codec = kCodecs[bytes[0] % kCodecs.size()];
  switch (bytes[0] / kCodecs.size() % 3) {
    case 0: decode(work, codec, shape_of(bytes[1]), data); break;
    case 1: decode_changed(work, codec, bytes[1], data); break;
    default: round_trip(work, codec, shape_of(bytes[1]), data); break;
  }
  return 0;
}
