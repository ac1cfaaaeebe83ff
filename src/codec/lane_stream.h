// The lane codec's planes as they are written: parameters, and where the parts of the coded residuals stand.
// spec/lane.md is normative; lane_reference.cc follows it step by step, lane_simd.cc does the same in vectors.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "codec/codec.h"

namespace dicube::codec::lane {

constexpr std::uint8_t kVersion = 1;
constexpr unsigned kTaps = 8;     // W-NW W-WW N-NW NE-N NN-N NNE-NE NW-NWW NNW-NW
constexpr unsigned kClasses = 6;  // of neighbourhoods, each with coefficients of its own
template <unsigned kCount>
using Coefficients = std::array<std::int8_t, kCount>;  // in 64ths
constexpr unsigned kTokens = 8;                        // of a context; the last one is the escape
constexpr unsigned kEscape = kTokens - 1;
constexpr unsigned kMostContexts = 16;
constexpr std::array<unsigned, 3> kLanes = {16, 64, 128};
constexpr unsigned kMostLanes = 128;
constexpr unsigned kFamilies = 22;
constexpr unsigned kMostLowBits = 8;
constexpr std::uint32_t kBlock = 64;  // lanes whose words follow one another

// What a magnitude counts in contexts, about its logarithm: by its low half byte, and for larger ones by its high half
// byte.
constexpr std::array<std::uint8_t, 32> kActivity = {0, 2,  3,  4,  5,  5,  6,  7,  7,  8,  8,  9,  9,  9,  10, 10,
                                                    0, 13, 16, 18, 20, 22, 23, 25, 26, 27, 27, 28, 29, 30, 30, 31};
constexpr unsigned kActivities = 64;  // of neighbourhoods, from which contexts are made
inline std::uint8_t activity_of(std::uint16_t magnitude, unsigned shift) {
  const unsigned byte = std::min(unsigned{magnitude} >> shift, 255U);
  return byte < 16 ? kActivity[byte] : kActivity[16 + byte / 16];
}
constexpr std::uint32_t kLeastState = 1u << 16;  // a state is never smaller between two symbols
constexpr std::uint32_t kMostSide = 65535;

// Raw bits of tokens 0 to 6 of a context of this family: a token stands for 2^bits magnitudes that follow those of the
// token before it.
extern const std::array<std::array<std::uint8_t, kTokens - 1>, kFamilies> kRawBits;

// How magnitudes are coded in one context.
struct Context {
  std::uint8_t family = 0;
  std::array<std::uint8_t, kTokens> frequency = {};  // in 256ths; add up to 256
};

// What the values of a reference plane add to what is expected of a plane's, from its second row on.
constexpr unsigned kReferenceTaps = 8;     // N S W E NW NE SW SE, less the value between them
constexpr unsigned kReferenceClasses = 3;  // by the unrest around a value of the reference
struct Correction {
  std::uint8_t lift = 1;          // bits by which differences are raised, so that fractions count
  std::uint8_t unrest_shift = 0;  // of the unrest, before it becomes an activity
  std::array<std::int16_t, kReferenceClasses - 1> unrest = {};  // above each of them begins the next class
  std::array<Coefficients<kReferenceTaps>, kReferenceClasses> coefficients = {};
};

// Values that are missing: those from `start` above the smallest one on, gaps not counted, lie `length` higher.
struct Gap {
  std::uint16_t start, length;
};
using Gaps = std::vector<Gap>;  // ascending
std::size_t bytes_of(const Gaps& gaps);

// One plane of values: what stands before its coded residuals.
struct Plane {
  std::int32_t low = 0;       // no value is smaller
  std::uint16_t range = 0;    // and none is larger than `low` and this, gaps not counted; 0: all values are `low`, and
                              // nothing else is written
  Gaps gaps;                  // closed in all values that are coded
  std::uint8_t low_bits = 0;  // of every magnitude, written as they are
  std::uint8_t lane_choice = 0;     // of kLanes: values that are coded side by side
  bool zero_flags = false;          // groups without residuals are flagged
  std::uint8_t activity_shift = 0;  // of magnitudes, before they become activities
  std::int16_t texture = 0;         // gradient sums above it make a neighbourhood textured
  std::array<Coefficients<kTaps>, kClasses> coefficients = {};
  std::vector<std::uint8_t> thresholds;  // activities at which the next context begins, ascending
  std::vector<Context> contexts;         // one more than thresholds
  std::optional<Correction> correction;  // only in frames that have a reference

  unsigned lanes() const { return kLanes[lane_choice]; }
  // Values are coded around 0: value = coded + centre(), with gaps closed.
  std::int32_t centre() const { return low + (range + 1) / 2; }
  std::int32_t coded_low() const { return low - centre(); }
  std::int32_t coded_high() const { return low + range - centre(); }
  // Bits by which coded values are raised while predicting, so that fractions count; -1 where they must sink for their
  // differences to fit 16 bits.
  int raise() const;
};

// Where the coded residuals of a plane stand in its stream.
struct Coded {
  ByteSpan zero_flags;  // one bit per group, lowest first, rows in turn; empty when there are none
  ByteSpan states;      // 4 bytes per lane
  ByteSpan words;       // 2 bytes each
  ByteSpan low_bits;    // packed, lowest first; empty when there are none
};

struct Size {
  std::uint32_t rows = 0, columns = 0;
  std::uint64_t pixels() const { return std::uint64_t{rows} * columns; }
  std::uint64_t groups_per_row(unsigned lanes) const { return (columns + lanes - 1) / lanes; }
};

void write_plane(const Plane& plane, ByteWriter& out);
void write_coded(const Coded& coded, ByteWriter& out);
// kCodec when anything contradicts the format, or does not end where the stream ends.
// `may_refer`: of a frame that has a reference.
Result<Plane> read_plane(ByteReader& in, bool may_refer = false);
Result<Coded> read_coded(const Plane& plane, Size size, ByteReader& in);

// Tables made from contexts: by token index, 8 * context + token.
struct Tables {
  std::array<std::uint8_t, kMostContexts*kTokens> frequency = {}, start = {}, raw_bits = {};
  std::array<std::uint16_t, kMostContexts* kTokens> base = {};  // the smallest magnitude of the token; 0 of the escape
};
Tables make_tables(const Plane& plane);

}  // namespace dicube::codec::lane
