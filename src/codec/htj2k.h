// HTJ2K (ISO/IEC 15444-15) through OpenJPH: lossless, in the form of DICOM's "HTJ2K Lossless RPCL" (PS3.5 A.4):
// RPCL, TLM, one tile-part per resolution, the smallest at most 64 wide or high. Decodes what others coded, too.
#pragma once

#include <memory>
#include <vector>

#include "codec/codec.h"
#include "codec/htj2k_header.h"

namespace dicube::codec {

// OpenJPH's objects and buffers, used again from frame to frame.
class Htj2k {
 public:
  Htj2k();
  ~Htj2k();
  Htj2k(Htj2k&&) noexcept;
  Htj2k& operator=(Htj2k&&) noexcept;

  // REQUIRES for both: pixels.size() == frame_bytes(shape). kUnsupported: a shape or precision that this doesn't hold.
  Status encode(const Shape& shape, ByteSpan pixels, Bytes& out);
  // With losses: irreversible wavelet and colour transform, quantised by `step`, a fraction of the values' range.
  Status encode_lossy(const Shape& shape, ByteSpan pixels, float step, Bytes& out);
  // The whole stream into the whole frame.
  Status decode(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);
  // REQUIRES: level <= header.levels, pixels.size() == frame_bytes(reduced(shape, level)), header is the stream's.
  Status decode_reduced(const Htj2kHeader& header, const Shape& shape, ByteSpan stream, unsigned level,
                        MutableByteSpan pixels);

 private:
  struct Coder;
  Status run_encoder(const Shape& shape, ByteSpan pixels, unsigned precision, unsigned levels, float step,
                     Bytes& coded);
  Status run_decoder(const Htj2kHeader& header, const Shape& target, ByteSpan stream, unsigned level,
                     MutableByteSpan pixels);
  Status hand_out(std::size_t frame_bytes, Bytes& out);
  std::unique_ptr<Coder> encoder_, decoder_;
  Bytes coded_, trial_;
  std::vector<TilePartCount> tile_parts_;
};

}  // namespace dicube::codec
