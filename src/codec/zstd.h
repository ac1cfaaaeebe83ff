// Frames through zstd, after a filter that makes neighbouring values alike. spec/codecs.md is normative.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

void encode_zstd(const Shape& shape, ByteSpan pixels, Bytes& out);
Status decode_zstd(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);

}  // namespace dicube::codec
