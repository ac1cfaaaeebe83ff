// How the values of a frame lie: in its source, for its codec, and in the public form (PixelFormat).
#pragma once

#include "base/bytes.h"
#include "format/frame_index.h"

namespace dicube::archive {

// What the codec sees of a native frame: the source's bytes (frame_source()), or what is made of them in `scratch`.
ByteSpan arranged(const format::FrameFormat& format, ByteSpan source, Bytes& scratch);
// The other way round, in place.
void arrange_back(const format::FrameFormat& format, MutableByteSpan frame);

// Planes of `samples` samples, of `value` bytes each, side by side: RRR GGG BBB -> RGB RGB.
void interleave(ByteSpan planes, std::size_t samples, std::size_t value, MutableByteSpan out);
// A frame that is subsampled, as its codec gives it, with all samples of every pixel: rows of Y, Cb, Cr -> Y1 Cb Cr Y2
// Cb Cr.
void expand_422(const format::FrameFormat& format, ByteSpan rows, MutableByteSpan out);
// Packed 1-bit values, a byte each. The first pixel is the lowest bit of the first byte (PS3.5 8.1.1), or the one
// `offset` bits above.
void expand_bits(ByteSpan packed, unsigned offset, MutableByteSpan out);
// 1-bit values, a byte each -> as native pixel data hold them.
Bytes packed_bits(ByteSpan values);

}  // namespace dicube::archive
