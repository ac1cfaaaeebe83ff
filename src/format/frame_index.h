// The section "FRAM": where every frame and every block of bulk values stands in the section "DATA", and how it is
// coded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"

namespace dicube::format {

// Everything that decoding a frame needs to know; most archives have one.
struct FrameFormat {
  std::uint32_t rows = 0, columns = 0;
  std::uint16_t samples = 1;
  std::uint16_t bits_allocated = 0, bits_stored = 0, high_bit = 0;
  bool is_signed = false;
  bool is_float = false;
  bool planar = false;      // in the source: Planar Configuration 1
  bool colour = false;      // coded with a colour transform where the codec has one
  bool subsampled = false;  // YBR_FULL_422 in the source: two values per pixel, Y Y Cb Cr (PS3.3 C.7.6.3.1.2)
  std::uint8_t swap = 1;    // in the source, bytes stand reversed in groups of 1, 2, 4 or 8 (big endian)
  std::string photometric;
  std::string transfer_syntax;  // of encapsulated frames; empty for native ones
  Bytes head;                   // stands before the stored bytes of each frame: what their codestreams begin with alike
  // Of encapsulated frames: how the source's codestream is made from the coded pixels; 0: it is itself what is stored.
  std::uint8_t recipe = 0;
  Bytes recipe_head;  // what the recipes of these frames begin with alike
  // The frame's codec codes pixels, rather than its transfer syntax.
  bool has_codec() const { return transfer_syntax.empty() || recipe != 0; }
  friend bool operator==(const FrameFormat&, const FrameFormat&) = default;
};

struct Block {
  std::uint64_t offset = 0;    // in the section "DATA"; follows from the sizes before it
  std::uint64_t stored = 0;    // bytes
  std::uint64_t checksum = 0;  // XXH3-64 of the stored bytes, seeded with the block's number
};

struct Frame {
  std::uint32_t format = 0;       // index of its FrameFormat
  std::uint8_t codec = 0;         // codec::CodecId; unknown ones are refused when the frame is read
  std::uint64_t source_size = 0;  // of the codestream that a recipe gives; 0 for other frames
  std::uint32_t back = 0;         // its reference is so many frames before it; 0: it has none
  std::size_t block = 0;          // of its stored bytes; frames that are the same share it, and all else but `back`
};

// Blocks are numbered through: first one per frame that is no repeat of another, in order, then those of bulk values.
struct FrameIndex {
  std::vector<FrameFormat> formats;
  std::vector<Frame> frames;
  std::vector<Block> blocks;
  std::size_t frame_blocks = 0;  // the first of the blocks
};

// A frame, its reference, and so on: no more of them have to be decoded for one.
constexpr unsigned kLongestChain = 8;

// They take memory, but hardly a byte of the file: a reader refuses more.
constexpr std::uint64_t kMostRepeats = std::uint64_t{1} << 18;
// Two look for them when an archive is written, apart: each finds no more than this.
constexpr std::uint64_t kMostFound = kMostRepeats / 2;

// Of all that a format says.
std::uint64_t hash_of(const FrameFormat& format);

// The required features (format/header.h) that frames make use of; `features` below has these bits.
std::uint64_t features_of(const FrameIndex& index);
Bytes write_frame_index(const FrameIndex& index, std::uint64_t features = 0);
// `data_bytes`: size of the section "DATA", which the blocks must fill exactly.
Result<FrameIndex> read_frame_index(ByteSpan bytes, std::uint64_t data_bytes, std::uint64_t features = 0);

// The stored bytes of a frame with a recipe: its coded pixels, and what its recipe has behind the format's recipe_head.
constexpr std::size_t kRecipeSizeBytes = 4;
struct FrameParts {
  ByteSpan pixels, recipe;
};
void append_recipe(ByteSpan recipe, Bytes& pixels);
Result<FrameParts> split_frame(ByteSpan stored);

// Of a block's stored bytes.
std::uint64_t block_checksum(std::uint64_t number, ByteSpan stored);
// The same of bytes that come in pieces.
Xxh3Stream block_checksum(std::uint64_t number);

}  // namespace dicube::format
