// What a codestream says of losses.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// Whether codestreams of this codec can say that: others need not be read.
bool may_say_irreversible(CodecId codec);

// Whether it says that values were lost: NEAR of JPEG-LS above 0 (ISO/IEC 14495-1 C.2.3), the irreversible wavelet of
// JPEG 2000 (ISO/IEC 15444-1 table A.20). Others, and malformed ones, say nothing.
bool is_irreversible(CodecId codec, ByteSpan stream);

}  // namespace dicube::codec
