// The scans of JPEG-LS (ISO/IEC 14495-1), coded again with the parameters in another encoder's marker segments.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// Recipe 2. See codec/recipe.h; what is made is not proven here.
Result<Bytes> make_jpegls_recipe(const Shape& shape, ByteSpan pixels, ByteSpan stream);
Status follow_jpegls_recipe(const Shape& shape, ByteSpan pixels, ByteSpan recipe, std::uint64_t size, Bytes& out);

}  // namespace dicube::codec
