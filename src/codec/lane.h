// The lane codec (spec/lane.md): lossless frames of 8 and 16 bits, decoded in vectors.
#pragma once

#include <memory>

#include "codec/codec.h"

namespace dicube::codec {

class Lane {
 public:
  Lane();
  ~Lane();
  // kUnsupported: another shape than 8 or 16 bits with 1 or 3 samples and sides of 1 to 65535.
  Status encode(const Shape& shape, ByteSpan pixels, Bytes& out);
  Status decode(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);
  // kCodec unless the stream has the parts that a frame of this shape needs.
  static Status check_size(const Shape& shape, ByteSpan stream);

  // Of small frames the parameters are a good part of their streams. shared_head(): what the streams of a series'
  // frames may all begin with, parameters that are good for some of them together; empty where they do not save bytes,
  // or one of these gets much larger. encode_headed(): a stream that begins so. kUnsupported: this frame needs
  // parameters of its own. References: none, or for each frame one, as in encode_after().
  Bytes shared_head(const Shape& shape, std::span<const ByteSpan> frames, std::span<const ByteSpan> references = {});
  Status encode_headed(const Shape& shape, ByteSpan head, ByteSpan pixels, Bytes& out, ByteSpan reference = {});

  // The same with another frame of this shape, which the decoder has, too, in other memory than `pixels`.
  // encode_after() returns kLaneInter, or kLane when the stream is one of encode(), for the reference does not promise
  // to pay.
  Result<CodecId> encode_after(const Shape& shape, ByteSpan reference, ByteSpan pixels, Bytes& out);
  Status decode_after(const Shape& shape, ByteSpan reference, ByteSpan stream, MutableByteSpan pixels);
  Result<Promise> promise(const Shape& shape, ByteSpan reference, ByteSpan pixels);
  static Status check_size_after(const Shape& shape, ByteSpan stream);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dicube::codec
