// How a source's codestream is made again from the pixels that it decodes to: spec/codecs.md, section 6.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// ON DISK: DO NOT CHANGE. The registry stands in spec/codecs.md.
enum class Recipe : std::uint8_t {
  kKept = 0,          // none: the codestream itself is stored
  kJpegLossless = 1,  // ISO/IEC 10918-1 process 14
  kJpegLs = 2,        // ISO/IEC 14495-1
  kRle = 3,           // PS3.5 annex G
  kJpegInXl = 4,      // lossy JPEG of 8 bits, from its codec's stream: jpeg_from_jxl(), not the functions here
};

// The recipe that may suit codestreams of this codec.
Recipe recipe_for(CodecId codec, ByteSpan stream);

// The bytes of a recipe by which follow_recipe() gives exactly `stream`, which decodes to `pixels`: that is tried here.
// `shape` is not planar. kUnsupported: no such recipe gives it.
Result<Bytes> make_recipe(Recipe recipe, const Shape& shape, ByteSpan pixels, ByteSpan stream);

// Appends the codestream of `size` bytes. kUnsupported: a recipe unknown to this version; kCodec: one that gives
// something else. REQUIRES: pixels.size() == frame_bytes(shape).
Status follow_recipe(Recipe recipe, const Shape& shape, ByteSpan pixels, ByteSpan bytes, std::uint64_t size,
                     Bytes& out);

}  // namespace dicube::codec
