// What an HTJ2K codestream says of itself, read and checked without OpenJPH, so that a hostile header costs nothing
// and everything OpenJPH would ignore or guess is refused instead.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "codec/codec.h"

namespace dicube::codec {

inline constexpr unsigned kMostComponents = 4;
inline constexpr unsigned kMostLevels = 32;  // ISO/IEC 15444-1 table A.15

struct Htj2kComponent {
  std::uint8_t precision = 0;
  bool is_signed = false;
};

struct Htj2kHeader {
  std::uint32_t rows = 0, columns = 0;
  std::uint16_t components = 0;
  std::array<Htj2kComponent, kMostComponents> component;
  std::uint64_t tiles = 0;
  unsigned levels = 0;            // wavelet decompositions of the component that has the fewest
  bool colour_transform = false;  // RCT or ICT over the first three components
  std::uint64_t bytes = 0;        // of the main header: where the first tile-part starts
  // Lengths of the tile-parts from TLM, when there is one tile cut at its resolutions; else zero of them.
  std::array<std::uint32_t, kMostLevels + 1> part_bytes{};
  unsigned parts = 0;
  // Upper bounds of what decoding allocates besides the coded bytes.
  std::uint64_t working_bytes = 0, code_blocks = 0;
};

// Reads the main header, which must lie within `head` whole. kCodec: malformed. kUnsupported: legal, but OpenJPH or
// this adapter would not decode it rightly.
Result<Htj2kHeader> read_htj2k_header(ByteSpan head);

// kCodec when the frame's size, samples or bits differ from `shape`; kLimit when decoding it would take memory out of
// proportion to the frame.
Status check_htj2k_shape(const Htj2kHeader& header, const Shape& shape);

// How many tile-parts of one tile were seen and how many it announces (0: not yet).
struct TilePartCount {
  std::uint32_t seen = 0, announced = 0;
};

// Whether the tile-parts follow each other without a gap, are complete in number, and end with the end marker.
// `scratch` is used again from call to call.
Status check_htj2k_complete(const Htj2kHeader& header, ByteSpan stream, std::vector<TilePartCount>& scratch);

// The stream's first bytes that hold all resolutions but the `level` finest; 0 when no prefix does.
// REQUIRES: level <= header.levels.
std::uint64_t htj2k_prefix(const Htj2kHeader& header, unsigned level);

// Whether the tile-parts in `prefix`, which has htj2k_prefix() bytes, are those that TLM lists.
Status check_htj2k_prefix(const Htj2kHeader& header, ByteSpan prefix);

}  // namespace dicube::codec
