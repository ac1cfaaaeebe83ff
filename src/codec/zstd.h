// Any frame, losslessly: a filter over its values, then zstd. The stream is specified in spec/codecs.md.
#pragma once

#include <memory>

#include "codec/codec.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace dicube::codec {

// zstd's contexts and buffers, used again from frame to frame.
class Zstd {
 public:
  Zstd();
  ~Zstd();
  Zstd(Zstd&&) noexcept;
  Zstd& operator=(Zstd&&) noexcept;

  // REQUIRES for both: pixels.size() == frame_bytes(shape)
  Status encode(const Shape& shape, ByteSpan pixels, Bytes& out);
  Status decode(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);
  // kCodec unless the stream announces `bytes` bytes.
  static Status check_size(ByteSpan stream, std::uint64_t bytes);

 private:
  Result<ByteSpan> compress(ByteSpan bytes, int level);

  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> compressor_;
  std::unique_ptr<ZSTD_DCtx_s, Free> decompressor_;
  Bytes filtered_, compressed_, values_;
};

}  // namespace dicube::codec
