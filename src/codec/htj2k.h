// HTJ2K (ISO/IEC 15444-15) through OpenJPH, lossless, in the form that DICOM's "HTJ2K Lossless RPCL" asks for
// (PS3.5 8.2.16, A.4.4): RPCL, TLM, one tile-part per resolution, smallest resolution at most 64 wide or high.
#pragma once

#include <memory>

#include "codec/codec.h"

namespace dicube::codec {

// Objects of OpenJPH that are used again from frame to frame.
class Htj2k {
 public:
  Htj2k();
  ~Htj2k();
  Status encode(const Shape& shape, ByteSpan pixels, Bytes& out);
  // Decodes at 1/2^level; `pixels` has frame_bytes(reduced(shape, level)) bytes. `whole`: the stream must be complete.
  Status decode(const Shape& shape, ByteSpan stream, unsigned level, bool whole, MutableByteSpan pixels);

 private:
  struct Coder;
  std::unique_ptr<Coder> encoder_, decoder_;
};

// What a codestream says of itself, read without OpenJPH.
struct Htj2kHeader {
  std::uint32_t rows = 0, columns = 0;
  std::uint16_t components = 0;
  unsigned precision = 0;  // of the widest component
  unsigned levels = 0;     // wavelet decompositions
  bool subsampled = false;
  std::uint64_t tiles = 0;
  std::uint64_t first_tile_part = 0;            // bytes of the main header
  std::vector<std::uint64_t> tile_part_sizes;   // from TLM; empty without
};
Result<Htj2kHeader> read_htj2k_header(ByteSpan stream);

// kCodec unless the tile-parts fill the stream up to its end marker.
Status check_htj2k_complete(const Htj2kHeader& header, ByteSpan stream);

}  // namespace dicube::codec
