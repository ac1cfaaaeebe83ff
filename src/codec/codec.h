// One frame of stored pixel values <-> bytes. Knows nothing of DICOM or of the archive.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace dicube::codec {

// ON DISK: DO NOT CHANGE. The registry stands in spec/codecs.md.
enum class CodecId : std::uint8_t {
  kStored = 0,     // the values as they are
  kZstd = 1,       // byte planes or deltas, then zstd: spec/codecs.md
  kHtj2k = 2,      // an HTJ2K codestream, ISO/IEC 15444-15, lossless
  kLane = 3,       // spec/lane.md
  kJpegInXl = 4,   // a JPEG XL file that a JPEG codestream comes back from; decoded only
  kLaneInter = 5,  // kLane after a reference, another frame of this shape
  // Never on disk: codestreams that are kept as the source has them; its transfer syntax tells which.
  kRle = 128,
  kDeflated = 129,
  kJpeg = 130,
  kJpegLs = 131,
  kJpeg2000 = 132,
  kJpegXl = 133,
};

// Whether the codec codes values rather than bytes: it has its own layout of samples, and 1-bit values are bytes to it.
bool codes_values(CodecId codec);

// What a codec must know of a frame besides its bytes.
struct Shape {
  std::uint32_t rows = 0, columns = 0;
  std::uint16_t samples = 1;  // values per pixel
  std::uint8_t bits = 16;     // of one value's container: 8, 16, 32 or 64 (little endian); 1 for packed bits
  bool is_signed = false;     // two's complement
  bool planar = false;        // RRR..GGG..BBB.. instead of RGBRGB..
  bool colour = false;        // samples are red, green, blue; coded by a colour transform where the codec has one
  // Bits that hold every value of the instance that the frame belongs to (two's complement when signed); a hint
  // for coding, at most `bits`. 0: the codec looks at the frame's own values.
  std::uint8_t precision = 0;
};

// Bytes of a frame of this shape; nullopt when that overflows 64 bits. For 1 bit: rounded up to whole bytes.
std::optional<std::uint64_t> frame_bytes(const Shape& shape);

// Fewest bits that hold every value of `pixels` (two's complement when signed), at least 1.
// REQUIRES: shape.bits is 8, 16 or 32 and pixels.size() is a multiple of it.
std::uint8_t needed_precision(const Shape& shape, ByteSpan pixels);

// What a lossy codestream may cost or must save: one of the two.
struct Loss {
  std::uint32_t most_error = 0;  // of any value, as decode() gives it
  double ratio = 0;              // the stream is at least so many times smaller than the frame
};

// Bits of some of a frame's values, estimated: coded alone, and after another frame, which is never more.
struct Promise {
  std::uint64_t alone = 0, after = 0;
};

// Scratch memory and codec objects that one thread uses again from frame to frame. Not for two threads at once.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;

  // Codes `pixels` (frame_bytes(shape) bytes) with `codec`, appending to `out`. The result depends on the
  // arguments alone. kUnsupported: this codec does not hold this shape. `out` is unchanged on failure.
  Status encode(CodecId codec, const Shape& shape, ByteSpan pixels, Bytes& out);

  // Codes with losses: kHtj2k, kJpegLs, kJpegXl; for values of 8 and 16 bits. Takes the smallest stream found within
  // `most_error`, or the best one of the ratio, and returns the largest error in it. kUnsupported: a shape, or a wish
  // that the codec can't fulfil.
  Result<std::uint32_t> encode_lossy(CodecId codec, const Shape& shape, ByteSpan pixels, Loss loss, Bytes& out);

  // Decodes into `pixels`, exactly frame_bytes(shape) bytes. kCodec when the stream is malformed or its own
  // idea of the size differs from `shape`: checked before anything is allocated from it. kUnsupported: unknown codec.
  // On failure the contents of `pixels` are unspecified.
  Status decode(CodecId codec, const Shape& shape, ByteSpan stream, MutableByteSpan pixels);

  // The same with kLaneInter, after `reference`: another frame of this shape, whole, as decode() gives it and not in
  // `pixels`. encode_after() returns how it is coded: with kLane, alone, where the reference does not promise to pay.
  Result<CodecId> encode_after(const Shape& shape, ByteSpan reference, ByteSpan pixels, Bytes& out);
  Status decode_after(const Shape& shape, ByteSpan reference, ByteSpan stream, MutableByteSpan pixels);
  // Streams of kLane that share their parameters begin alike. shared_head(): what those of the frames of a series had
  // best begin with; empty where nothing is gained by it. encode_headed(): a stream that begins so. kUnsupported: this
  // frame needs a stream of its own. The same with kLaneInter for frames that have a reference each.
  Bytes shared_head(const Shape& shape, std::span<const ByteSpan> frames, std::span<const ByteSpan> references = {});
  Status encode_headed(const Shape& shape, ByteSpan head, ByteSpan pixels, Bytes& out, ByteSpan reference = {});
  // What encode_after() may be expected to save, in a fraction of its time.
  Result<Promise> promise(const Shape& shape, ByteSpan reference, ByteSpan pixels);

  // The frame at 1/2^level of its size, from as many of the stream's first bytes as that needs; codecs without levels,
  // and codestreams with bits above shape.precision, are decoded whole and keep every 2^level-th row and column.
  // `pixels`: frame_bytes(reduced(shape, level)).
  Status decode_reduced(CodecId codec, const Shape& shape, ByteSpan stream, unsigned level, MutableByteSpan pixels);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The largest difference between values of two frames. REQUIRES: shape.bits is 8 to 64, and both have
// frame_bytes(shape).
std::uint64_t largest_difference(const Shape& shape, ByteSpan a, ByteSpan b);

// kCodec when the stream's own header says that it decodes to something else than `bytes` bytes of this shape. Cheap,
// and not all that decode() checks: for callers that must make memory first.
Status check_stream(CodecId codec, const Shape& shape, ByteSpan stream, std::uint64_t bytes);

// kCodec when a codestream as a source has it does not begin as one of this shape, or does not end. Cheap, and not all
// that decode() checks; of some codecs nothing.
Status check_source(CodecId codec, const Shape& shape, ByteSpan stream);

// Keeps every 2^level-th row and column of a frame. `pixels`: frame_bytes(reduced(shape, level)).
void thin_out(const Shape& shape, ByteSpan whole, unsigned level, MutableByteSpan pixels);

// The shape with rows and columns divided by 2^level, rounded up.
Shape reduced(Shape shape, unsigned level);

std::string_view name(CodecId codec);  // "stored", "zstd", "htj2k"

}  // namespace dicube::codec
