#include "codec/recipe.h"

#include "codec/foreign.h"
#include "codec/jpeg_lossless.h"
#include "codec/jpegls_recipe.h"
#include "codec/rle_recipe.h"

namespace dicube::codec {

Recipe recipe_for(CodecId codec, ByteSpan stream) {
  constexpr unsigned kLossless = 0xC3, kProgressive = 0xC2;
  if (codec == CodecId::kJpeg) {
    const auto header = read_jpeg_header(stream);
    if (header && header->process == kLossless) return Recipe::kJpegLossless;
    if (header && header->process <= kProgressive && header->declared.precision == 8) return Recipe::kJpegInXl;
  }
  if (codec == CodecId::kJpegLs) return Recipe::kJpegLs;
  if (codec == CodecId::kRle) return Recipe::kRle;
  return Recipe::kKept;
}

Result<Bytes> make_recipe(Recipe recipe, const Shape& shape, ByteSpan pixels, ByteSpan stream) {
  Bytes bytes;
  switch (recipe) {
    case Recipe::kJpegLossless: {
      DICUBE_ASSIGN(bytes, make_jpeg_lossless_recipe(shape, pixels, stream));
      break;
    }
    case Recipe::kJpegLs: {
      DICUBE_ASSIGN(bytes, make_jpegls_recipe(shape, pixels, stream));
      break;
    }
    case Recipe::kRle: {
      DICUBE_ASSIGN(bytes, make_rle_recipe(shape, pixels, stream));
      break;
    }
    default: return fail(ErrorClass::kUnsupported, "no recipe for this codestream");
  }
  Bytes again;
  DICUBE_TRY(follow_recipe(recipe, shape, pixels, bytes, stream.size(), again));
  if (!std::equal(again.begin(), again.end(), stream.begin(), stream.end()))
    return fail(ErrorClass::kUnsupported, "recipe {} gives another codestream", static_cast<unsigned>(recipe));
  return bytes;
}

Status follow_recipe(Recipe recipe, const Shape& shape, ByteSpan pixels, ByteSpan bytes, std::uint64_t size,
                     Bytes& out) {
  const std::size_t start = out.size();
  switch (recipe) {
    case Recipe::kJpegLossless: DICUBE_TRY(follow_jpeg_lossless_recipe(shape, pixels, bytes, size, out)); break;
    case Recipe::kJpegLs: DICUBE_TRY(follow_jpegls_recipe(shape, pixels, bytes, size, out)); break;
    case Recipe::kRle: DICUBE_TRY(follow_rle_recipe(shape, pixels, bytes, size, out)); break;
    default:
      return fail(ErrorClass::kUnsupported, "a codestream by recipe {}, unknown to this version",
                  static_cast<unsigned>(recipe));
  }
  if (out.size() - start == size) return {};
  return fail(ErrorClass::kCodec, "recipe {} gives {} bytes, {} expected", static_cast<unsigned>(recipe),
              out.size() - start, size);
}

}  // namespace dicube::codec
