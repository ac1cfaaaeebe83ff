// The boxes of a JPEG XL file (ISO/IEC 18181-2) that carries a JPEG codestream, looked at before libjxl makes memory
// for what they announce.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// The bytes of APPn and COM segments, and between segments, that the reconstruction data announce. kCodec: the file has
// other boxes than those that such files need, none or several with reconstruction data, or malformed ones.
Result<std::uint64_t> announced_jpeg_bytes(ByteSpan file);

}  // namespace dicube::codec
