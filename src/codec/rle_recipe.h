// DICOM's RLE (PS3.5 annex G), packed again the way that another encoder has packed it.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// Recipe 3. See codec/recipe.h; what is made is not proven here.
Result<Bytes> make_rle_recipe(const Shape& shape, ByteSpan pixels, ByteSpan stream);
Status follow_rle_recipe(const Shape& shape, ByteSpan pixels, ByteSpan recipe, std::uint64_t size, Bytes& out);

}  // namespace dicube::codec
