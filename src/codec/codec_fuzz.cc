// Hostile streams never harm, and what was coded comes back. The first byte chooses what is done with the others:
// they are a stream, or the pixels of a frame, or changes to a stream that the codec wrote.
#include <array>
#include <cstdlib>

#include "codec/codec.h"
#include "codec/testing.h"

namespace {

using namespace dicube;
using namespace dicube::codec;

Shape shape_of(unsigned choice) {
  constexpr std::array<std::array<std::uint32_t, 2>, 8> kSides = {
      {{512, 512}, {64, 64}, {1, 1}, {17, 5}, {3, 200}, {128, 96}, {33, 33}, {0, 7}}};
  return testing::chosen_shape(choice, kSides);
}

void decode_everything(Workspace& work, CodecId codec, const Shape& shape, ByteSpan stream, unsigned level) {
  static Bytes pixels;
  pixels.resize(frame_bytes(shape).value());
  static_cast<void>(work.decode(codec, shape, stream, pixels));
  pixels.resize(frame_bytes(reduced(shape, level)).value());
  static_cast<void>(work.decode_reduced(codec, shape, stream, level, pixels));
}

void round_trip(Workspace& work, CodecId codec, const Shape& shape, ByteSpan data) {
  const Bytes frame = testing::repeated_frame(shape, data);
  Bytes stream, decoded(frame.size()), again;
  const Status encoded = work.encode(codec, shape, frame, stream);
  if (!encoded) {
    if (encoded.error().error_class != ErrorClass::kUnsupported || !stream.empty()) std::abort();
    return;
  }
  if (!work.decode(codec, shape, stream, decoded) || decoded != frame) std::abort();
  if (!work.encode(codec, shape, frame, again) || again != stream) std::abort();
}

void decode_changed(Workspace& work, CodecId codec, unsigned choice, ByteSpan data) {
  static std::array<std::array<Bytes, 256>, 4> streams;
  const Shape shape = shape_of(choice);
  Bytes& coded = streams[static_cast<unsigned>(codec)][choice];
  if (coded.empty() &&
      (!work.encode(codec, shape, testing::make_frame(shape, testing::Kind::kSmooth, 1), coded) || coded.empty()))
    return;
  decode_everything(work, codec, shape, testing::changed_stream(coded, data, 4096), 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static Workspace work;  // its objects are used again after errors, too
  if (size < 2) return 0;
  const ByteSpan data = std::as_bytes(std::span(bytes, size)).subspan(2);
  const auto codec = static_cast<CodecId>(bytes[0] % 4);
  const Shape shape = shape_of(bytes[1]);
  switch (bytes[0] / 4 % 3) {
    case 0: decode_everything(work, codec, shape, data, bytes[0] / 12 % 8); break;
    case 1: round_trip(work, codec, shape_of(bytes[1] | 1U), data); break;  // the large ones take too long
    default: decode_changed(work, codec, bytes[1], data); break;
  }
  return 0;
}
