// What codecs see of a frame of a format: its shape, in the source, as coded, and as it is handed out.
#pragma once

#include <optional>

#include "codec/codec.h"
#include "format/frame_index.h"

namespace dicube::archive {

// Bits of one native frame in the source. nullopt: overflow, or no pixels.
std::optional<std::uint64_t> source_frame_bits(const format::FrameFormat& format);

// Which bit of its first byte a 1-bit native frame starts at that stands behind so many others.
unsigned bit_offset(const format::FrameFormat& format, std::uint64_t frames_before);

// Whether the codec sees a native frame's bytes as they stand in the source.
bool is_as_coded(const format::FrameFormat& format);

// Whether native frames have no whole number of the groups that stand reversed in the source: these are then the whole
// value's, and frames are cut from it when they are turned.
bool share_groups(const format::FrameFormat& format);

// The shape the codec sees of a native frame in this format.
codec::Shape coded_shape(const format::FrameFormat& format);

// The shape of frames as Archive::read_frame() gives them: every pixel with all its samples, side by side.
codec::Shape read_shape(const format::FrameFormat& format);

// The shape of a native frame of which `bytes` bytes are stored. 1-bit frames need not start or end at a byte: the
// codec sees the bytes that they touch.
codec::Shape stored_shape(const format::FrameFormat& format, std::size_t bytes);

// Frames with a recipe are coded as what their codestreams decode to, interleaved.
format::FrameFormat decoded_format(format::FrameFormat format);

// The shape that the codec of a frame with pixels sees: `planar` as in the source, or not.
codec::Shape decoded_shape(const format::FrameFormat& format, bool planar);

// Bytes of the pixels of a frame with a recipe, whose codestream has `source_size` bytes.
Result<std::uint64_t> recipe_pixels(const format::FrameFormat& format, std::uint64_t source_size);

// Bits Stored, as far as the container has them.
std::uint8_t stored_bits(const format::FrameFormat& format);

}  // namespace dicube::archive
