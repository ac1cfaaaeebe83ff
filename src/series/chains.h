// Frames coded after earlier ones of their series: which, and how far back.
#pragma once

#include <span>
#include <vector>

#include "archive/frames.h"

namespace dicube::series {

// A frame of a batch, coded alone.
struct ChainFrame {
  const format::FrameFormat* format = nullptr;
  ByteSpan pixels;  // as its codec sees them; empty: not for chains
  archive::CodedFrame* coded = nullptr;
};

// How far back references are best, for frames in the order of the series; 0: they don't pay; nullopt: too few frames
// to tell.
std::optional<std::size_t> best_distance(std::span<const ChainFrame> frames, archive::ScratchPool& scratch,
                                         unsigned threads);

// Codes those frames anew that get smaller. Depends on the frames alone.
void code_chains(std::span<const ChainFrame> frames, std::size_t distance, archive::ScratchPool& scratch,
                 unsigned threads);

}  // namespace dicube::series
