// Frames coded after earlier ones of their series: which, and how far back.
#pragma once

#include <span>
#include <vector>

#include "archive/scratch.h"
#include "format/frame_index.h"

namespace dicube::series {

// A frame of a batch.
struct ChainFrame {
  const format::FrameFormat* format = nullptr;
  ByteSpan pixels;        // in the source, as its codec sees them; empty: not for chains
  std::size_t place = 0;  // in the batch, where frames that repeat others may stand between those of the chain
};

// How far back references are best, for frames in the order of the series; 0: they don't pay; nullopt: too few frames
// to tell. Depends on the frames alone.
std::optional<std::size_t> best_distance(std::span<const ChainFrame> frames, archive::ScratchPool& scratch,
                                         unsigned threads);

// The frame that a frame is to be coded after, `distance` before it; nullptr: none. Every chain begins with a frame
// that stands alone.
const ChainFrame* reference_of(std::span<const ChainFrame> frames, std::size_t frame, std::size_t distance);

// What lane codestreams of small frames had best begin with (codec::Workspace::shared_head()): of those that stand
// alone, and of those that have a reference. Found for the frames of one format. Empty: nothing.
struct SharedHeads {
  format::FrameFormat format;
  Bytes alone, after;
  ByteSpan of(const format::FrameFormat& other, bool has_reference) const {
    return other == format ? ByteSpan(has_reference ? after : alone) : ByteSpan();
  }
};

// For the format of the first frame that is there, by all that have it.
SharedHeads shared_heads(std::span<const ChainFrame> frames, std::size_t distance, archive::ScratchPool& scratch);

}  // namespace dicube::series
