// JPEG codestreams carried by JPEG XL (ISO/IEC 18181-2, annex A: reconstruction data), smaller and exactly, through
// libjxl.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// A JPEG XL file from which `stream` comes back, which ends with its EOI marker; that is tried here.
Result<Bytes> jpeg_to_jxl(const Shape& shape, ByteSpan stream);

// Appends the JPEG codestream, at most `most` bytes; nothing on failure. kCodec: the file is malformed, carries none,
// or one of another size than `shape`.
Status jpeg_from_jxl(const Shape& shape, ByteSpan file, std::uint64_t most, Bytes& out);

// Decodes the JPEG codestream.
Status decode_jpeg_in_jxl(const Shape& shape, ByteSpan file, MutableByteSpan pixels);

}  // namespace dicube::codec
