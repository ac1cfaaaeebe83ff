// The deflated data set of PS3.5 A.5.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace dicube::dicom {

enum class InflateEnd : std::uint8_t {
  kComplete,
  kTruncated,  // the input ends inside the stream
  kCorrupt,
};

struct Inflated {
  Bytes bytes;                 // what came out, also of a truncated or corrupt stream
  std::uint64_t consumed = 0;  // bytes of the input that belong to the stream
  InflateEnd end = InflateEnd::kCorrupt;
};

// Inflates the raw deflate stream, or the zlib stream that some writers put there, that `stream` begins with.
// Fails with kLimit for more than `max_size` bytes of output.
Result<Inflated> inflate_data_set(ByteSpan stream, std::uint64_t max_size);

// How many bytes of `rest`, which stands behind a stream, are a checksum of what it inflated to: 8, a CRC-32 and the
// size, as gzip has them (RFC 1952 2.3.1) and some writers leave them there; 0 when these are not the data's.
std::size_t checksum_bytes(ByteSpan rest, ByteSpan inflated);

}  // namespace dicube::dicom
