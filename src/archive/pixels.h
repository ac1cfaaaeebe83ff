// Where the frames of an instance stand in its file, and in what form.
#pragma once

#include <optional>
#include <vector>

#include "dicom/tokenizer.h"
#include "format/frame_index.h"

namespace dicube::archive {

// One frame's bytes in the source: one piece when native, one per fragment when encapsulated.
struct FramePieces {
  struct Piece {
    std::uint64_t offset, size;  // in the bytes that the tokens point into
  };
  std::vector<Piece> pieces;
};

// Pixel data of the top-level data set that can be cut into frames.
struct PixelPlan {
  std::size_t token = 0;      // index of the pixel element in Tokens::data
  std::size_t end_token = 0;  // index of the token behind it and its fragments
  format::FrameFormat format;
  std::vector<FramePieces> frames;
  // The value of its column: what stands behind the last frame (native; turned where frames share groups), or the
  // structure of fragments, see write_description().
  Bytes description;
};

// Nothing when there is no pixel data; an error that says why when its frames can't be told apart. The pixels then stay
// with the metadata, and are not reachable as frames.
Result<std::optional<PixelPlan>> plan_pixels(const dicom::Tokens& tokens, ByteSpan bytes);

// A frame's bytes in the source: its fragments joined; of a native one with the groups turned that frames share. They
// are in `bytes`, or in `scratch`.
ByteSpan frame_source(const PixelPlan& plan, ByteSpan bytes, std::size_t frame, Bytes& scratch);

// What stands in the source besides the frames of encapsulated pixel data (PS3.5 A.4).
struct Fragments {
  Bytes offset_table;                             // the first item's value
  std::vector<std::vector<std::uint64_t>> sizes;  // per frame: sizes of its fragments
};
Bytes write_description(const Fragments& fragments);
// `frame_bytes`: the size of each frame, all fragments together.
Result<Fragments> read_description(ByteSpan description, const std::vector<std::uint64_t>& frame_bytes);

// The basic offset table that tells where each frame's first item starts, if all offsets fit.
Bytes canonical_offset_table(const std::vector<std::vector<std::uint64_t>>& sizes);

}  // namespace dicube::archive
