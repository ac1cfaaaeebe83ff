// Hostile codestreams of other syntaxes never harm. The first byte chooses the codec and what is done with the others:
// they are a stream, or changes to a stream that an encoder wrote, or the pixels of a frame. The second chooses the
// shape.
#include <array>
#include <cstdlib>

#include "codec/codec.h"
#include "codec/fuzz_inputs.h"

namespace {

using namespace dicube;
using namespace dicube::codec;

void decode(Workspace& work, CodecId codec, const Shape& shape, ByteSpan stream) {
  static Bytes pixels;
  pixels.resize(frame_bytes(shape).value());
  const Status done = work.decode(codec, shape, stream, pixels);
  if (!done && (done.error().error_class == ErrorClass::kUsage || done.error().message.empty())) std::abort();
}

void decode_changed(Workspace& work, CodecId codec, unsigned choice, ByteSpan data) {
  const Shape shape = testing::foreign_shape(choice);
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
  using testing::ForeignInput, testing::kForeignCodecs;
  const CodecId codec = kForeignCodecs[bytes[0] % kForeignCodecs.size()];
  switch (static_cast<ForeignInput>(bytes[0] / kForeignCodecs.size() % testing::kForeignInputs)) {
    case ForeignInput::kStream: decode(work, codec, testing::foreign_shape(bytes[1]), data); break;
    case ForeignInput::kChanges: decode_changed(work, codec, bytes[1], data); break;
    case ForeignInput::kFrame: round_trip(work, codec, testing::foreign_shape(bytes[1]), data); break;
  }
  return 0;
}
