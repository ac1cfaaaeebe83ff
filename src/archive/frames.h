// Frames from the form in which they are stored to that of the source file, and that of the public interface.
#pragma once

#include "archive/scratch.h"
#include "dicube/archive.h"
#include "format/frame_index.h"

namespace dicube::archive {

// The codec of a frame: its own, or that of its transfer syntax when it is encapsulated (kUnsupported).
Result<codec::CodecId> codec_of(const format::FrameFormat& format, std::uint8_t codec);
// The same; a frame after a reference that the archive does not name is kUnsupported, too.
Result<codec::CodecId> codec_of(const format::FrameFormat& format, const format::Frame& frame);
// Of the codestreams of encapsulated pixel data in that transfer syntax; kUnsupported for others.
Result<codec::CodecId> codec_of_syntax(std::string_view transfer_syntax);

// kCodec when the stream itself says that it holds another frame than one of `bytes`: to be asked before memory is made
// for them.
Status check_stream(const format::FrameFormat& format, codec::CodecId codec, ByteSpan stored, std::uint64_t bytes);

// Decodes into `out`, as the codec gives it; after `reference` where the codec is kLaneInter.
Status decode(Scratch& scratch, codec::CodecId codec, const codec::Shape& shape, ByteSpan reference, ByteSpan stored,
              MutableByteSpan out);

// Decodes a native frame into `out`, as it stood in the source. `reference`: of a frame that has one, the reference's
// pixels in the layout of decoded_shape().
Status decode_to_source(Scratch& scratch, const format::FrameFormat& format, codec::CodecId codec, ByteSpan stored,
                        MutableByteSpan out, ByteSpan reference = {});

// Decodes any frame at 1/2^level into `out`, in the public form. `bit_offset`: of a 1-bit frame's first bit.
// `reference`: whole, as its codec gives it.
Status decode_to_public(Scratch& scratch, const format::FrameFormat& format, codec::CodecId codec, ByteSpan stored,
                        unsigned level, unsigned bit_offset, MutableByteSpan out, ByteSpan reference = {});

// The codestream of `frame`, an encapsulated one with a recipe, appended to `out`.
Status follow_recipe(Scratch& scratch, const format::FrameFormat& format, const format::Frame& frame, ByteSpan stored,
                     Bytes& out, ByteSpan reference = {});

PixelFormat public_format(const format::FrameFormat& format);

}  // namespace dicube::archive
