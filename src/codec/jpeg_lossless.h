// The scans of lossless JPEG (ISO/IEC 10918-1, process 14), coded as another encoder has coded them: its marker
// segments, with its Huffman tables, are taken as they stand.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// Recipe 1. See codec/recipe.h; what is made is not proven here.
Result<Bytes> make_jpeg_lossless_recipe(const Shape& shape, ByteSpan pixels, ByteSpan stream);
Status follow_jpeg_lossless_recipe(const Shape& shape, ByteSpan pixels, ByteSpan recipe, std::uint64_t size,
                                   Bytes& out);

}  // namespace dicube::codec
