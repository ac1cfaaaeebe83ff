// The lane codec's planes as they are written: parameters, and where the parts of the coded residuals stand.
// spec/lane.md is normative; lane_reference.cc follows it step by step, lane_decoder_simd.cc does the same in
// vectors.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "codec/codec.h"

namespace dicube::codec::lane {

constexpr std::uint8_t kVersion = 3;
constexpr unsigned kTaps = 7;  // W-NW W-WW N-NW NE-N NN-N NNE-NE NW-NWW
// Classes of neighbourhoods, each with coefficients of its own: by how much values differ there, and whether they do so
// more from row to row. Those of the latter stand behind the others, kMostLevels further.
constexpr unsigned kMostLevels = 8, kClasses = 2 * kMostLevels;
constexpr unsigned kMostLevelShift = 12;
template <unsigned kCount>
using Coefficients = std::array<std::int8_t, kCount>;  // in 64ths
constexpr unsigned kTokens = 8;                        // of a context; the last one is the escape
constexpr unsigned kEscape = kTokens - 1;
constexpr unsigned kMostContexts = 16;
constexpr std::array<unsigned, 2> kLanes = {16, 64};
constexpr unsigned kMostLanes = 64;
constexpr unsigned kFamilies = 22;
constexpr unsigned kMostLowBits = 8;
constexpr unsigned kGroup = 16;  // steps that share a zero flag

// What a magnitude counts in contexts, about its logarithm: by its low half byte, and for larger ones by its high half
// byte.
constexpr std::array<std::uint8_t, 32> kActivity = {0, 4,  6,  8,  10, 10, 12, 14, 14, 16, 16, 18, 18, 18, 20, 20,
                                                    0, 26, 32, 36, 40, 44, 46, 50, 50, 50, 50, 50, 50, 50, 50, 50};
constexpr unsigned kMostActive = 127;  // larger magnitudes count as this one
constexpr unsigned kActivities = 64;   // of neighbourhoods, from which contexts are made
constexpr std::uint8_t activity_of(std::uint16_t magnitude, unsigned shift) {
  const unsigned byte = std::min(unsigned{magnitude} >> shift, kMostActive);
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
  std::uint8_t lane_choice = 0;     // of kLanes: rows that are coded side by side
  bool zero_flags = false;          // groups without residuals are flagged
  std::uint8_t activity_shift = 0;  // of magnitudes, before they become activities
  std::uint8_t levels = 1;          // of differences that are told apart
  std::uint8_t level_shift = 0;     // of differences, for each level
  std::array<Coefficients<kTaps>, kClasses> coefficients = {};
  std::vector<std::uint8_t> thresholds;  // activities at which the next context begins, ascending
  std::vector<Context> contexts;         // one more than thresholds
  std::optional<Correction> correction;  // only in frames that have a reference

  unsigned lanes() const { return kLanes[lane_choice]; }
  bool has_class(unsigned number) const { return number % kMostLevels < levels; }
  // By mean differences from column to column and from row to row.
  unsigned class_of(unsigned across, unsigned down) const {
    return std::min(mean_difference(across, down) >> level_shift, levels - 1U) + (down > across ? kMostLevels : 0);
  }
  static unsigned mean_difference(unsigned across, unsigned down) { return (across + down + 1) / 2; }
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
  ByteSpan zero_flags;  // one bit per group of steps, lowest first; empty when there are none
  ByteSpan states;      // 4 bytes per lane
  ByteSpan words;       // 2 bytes each
  ByteSpan low_bits;    // packed in the order of steps, lowest first; empty when there are none
};

struct Size {
  std::uint32_t rows = 0, columns = 0;
  std::uint64_t pixels() const { return std::uint64_t{rows} * columns; }
};

// When pixels are coded: row y by lane y % lanes, two pixels behind the row above it, and behind the row that is as
// many rows above as there are lanes.
struct Steps {
  struct Pixel {
    std::uint32_t y, x;
  };

  // REQUIRES: a pixel at least.
  Steps(Size plane, unsigned lane_count)
      : size(plane),
        lanes(lane_count),
        period((std::max<std::uint64_t>(size.columns + 4ULL, 2ULL * lanes + 16) + 1) / 2 * 2),
        count((size.rows - 1) / lanes * period + size.columns + 2ULL * ((size.rows - 1) % lanes)) {}
  std::uint64_t groups() const { return (count + kGroup - 1) / kGroup; }
  // Whether the first lane may be in the plane's first row.
  bool is_in_first_row(std::int64_t step) const { return step < static_cast<std::int64_t>(period); }
  // Whether all lanes have a pixel of one and the same row of theirs in all steps of a group.
  bool is_inside(std::uint64_t group) const {
    const std::uint64_t row = group * kGroup / period * lanes, column = group * kGroup % period;
    return column >= 2ULL * (lanes - 1) && column + kGroup <= size.columns && row + lanes <= size.rows;
  }
  std::optional<Pixel> pixel(std::uint64_t step, unsigned lane) const {
    if (step < 2ULL * lane) return std::nullopt;
    const std::uint64_t of_lane = step - 2ULL * lane, y = of_lane / period * lanes + lane, x = of_lane % period;
    if (y >= size.rows || x >= size.columns) return std::nullopt;
    return Pixel{static_cast<std::uint32_t>(y), static_cast<std::uint32_t>(x)};
  }

  // Slot i of a lane is its i-th row, and begins, in lane 0, at step i * period. The lanes whose rows of a slot have a
  // pixel `at` steps behind its begin; with their number.
  struct Lanes {
    unsigned first, count;
  };
  Lanes lanes_of(std::int64_t slot, std::int64_t at) const {
    const std::int64_t columns = size.columns,
                       rows = std::clamp<std::int64_t>(size.rows - slot * lanes, 0, std::int64_t{lanes}),
                       first = at < columns ? 0 : (at - columns) / 2 + 1, end = std::min(rows, at < 0 ? 0 : at / 2 + 1);
    if (slot < 0 || first >= end) return {0, 0};
    return {static_cast<unsigned>(first), static_cast<unsigned>(end - first)};
  }
  // Lanes that have a pixel in a step: some that go on with a row, and behind them some that end the one before.
  struct Present {
    unsigned count() const { return lanes.count + others.count; }
    bool has(unsigned lane) const { return lane - lanes.first < lanes.count || lane - others.first < others.count; }
    Lanes lanes, others;
  };
  Present present(std::int64_t slot, std::int64_t at) const {
    return {lanes_of(slot, at), lanes_of(slot - 1, at + static_cast<std::int64_t>(period))};
  }

  // A step, and where the first lane is in it: so many steps behind the begin of a slot.
  struct Moment {
    std::int64_t step, slot, at;
  };
  Moment moment(std::uint64_t step) const {
    return {static_cast<std::int64_t>(step), static_cast<std::int64_t>(step / period),
            static_cast<std::int64_t>(step % period)};
  }
  Moment next(Moment moment) const {
    const bool ends = moment.at + 1 == static_cast<std::int64_t>(period);
    return {moment.step + 1, moment.slot + (ends ? 1 : 0), ends ? 0 : moment.at + 1};
  }

  std::uint64_t pixels_of(std::uint64_t group) const {
    std::uint64_t pixels = 0;
    for (std::uint64_t step = group * kGroup; step < (group + 1) * kGroup; ++step) {
      const auto slot = static_cast<std::int64_t>(step / period), at = static_cast<std::int64_t>(step % period);
      pixels += present(slot, at).count();
    }
    return pixels;
  }

  Size size;
  unsigned lanes;
  std::uint64_t period, count;  // steps from a row of a lane to the next one; all of them
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
