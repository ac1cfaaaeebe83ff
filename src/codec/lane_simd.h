// The parts of the lane codec that work in vectors. Each has the same result on every processor.
#pragma once

#include <span>

#include "codec/lane_inter.h"

namespace dicube::codec::lane {

// Runs of pixels spread over the plane.
void take_samples(const RaisedPlane& raised, Size size, SampleRuns& samples);

// What a reference says of every few of the runs.
void take_reference_samples(const ReferencePlane& reference, const SampleRuns& runs, ReferenceSamples& samples);

// The taps of the samples at `places`, 8 numbers of each sample, one behind the other, without their `shift` lowest
// bits and scaled, to columns that are as long as `places`.
void spread_taps(std::span<const std::int16_t> taps, std::span<const std::uint16_t> places,
                 std::span<const Scale> scales, int shift, std::int16_t* columns);
// The same of their values, to one column; at most 4095.
void spread_values(std::span<const std::int16_t> values, std::span<const std::uint16_t> places,
                   std::span<const Scale> scales, int shift, std::int16_t* column);

// Adds up products of `count` samples, a multiple of 32, in columns `stride` apart; of those that known coefficients
// miss by much less, if there are any.
void add_products(const std::int16_t* columns, std::size_t stride, std::size_t count, const Coefficients<kTaps>* known,
                  Normal& normal);
void add_products(const std::int16_t* columns, std::size_t stride, std::size_t count,
                  const Coefficients<kBothTaps>* known, JointNormal& normal);

// Magnitudes of the residuals of all rows but the first, `stride` apart in `out`, each with room for
// RaisedPlane::kRight more. `coded`: the plane's values.
void predict_rows(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, Size size,
                  std::uint16_t* out, std::size_t stride);

// The same of every few runs of samples alone, one run behind the other, after `corrections` in the same order, if any.
// Both have room for a vector more.
void predict_runs(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, Size size,
                  const SampleRuns& runs, std::size_t every, const std::int16_t* corrections, std::uint16_t* out);

// Activities of a row's magnitudes less their `shift` lowest bits, and those of its neighbourhoods. `above` and `top`:
// of the rows before, 0 beyond their ends. All have room for kSpareActivities on both sides; `own` is 0 in front of the
// row and becomes so behind it.
constexpr std::size_t kSpareActivities = 80;  // a vector, and two neighbours
void find_activities(const std::uint16_t* magnitudes, std::uint32_t columns, unsigned shift, const std::uint8_t* above,
                     const std::uint8_t* top, std::uint8_t* own, std::uint8_t* around);

// Classes of a row's magnitudes less their `low_bits` lowest bits. `class_of`: by magnitude, aligned as a vector.
// Magnitudes may be read, and classes written, a vector beyond the row.
void find_classes(const std::uint16_t* magnitudes, std::uint32_t columns, unsigned low_bits,
                  const std::uint8_t* class_of, std::uint8_t* out);

// With at most kFewGaps gaps, `low` being the smallest value. Whether any value lies in one of them; sets `seen`, by
// value less the smallest one, for these at least.
bool look_into_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::uint16_t low, std::uint8_t* seen);
// The values without them, less `centre`.
void close_few_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::int32_t low, std::uint16_t centre,
                    std::int16_t* out);

// A plane's residuals, and what is known of them. All may be read kGroup values behind their end.
struct Residuals {
  const std::uint16_t* magnitudes;  // rows `stride` apart
  std::size_t stride;
  const std::uint8_t *bins, *classes;  // of magnitudes without low bits: row by row
  ByteSpan zero_flags;                 // empty when there are none

  bool is_zero(std::uint64_t group) const {
    return !zero_flags.empty() && (zero_flags[group / 8] >> (group % 8) & std::byte{1}) != std::byte{0};
  }
};
// Codes them, from the last to the first, into the words before `end`. Returns the first one; `states`: one per lane.
// REQUIRES: room for two words per residual.
std::uint16_t* write_residuals(const Plane& plane, Size size, const ContextOfBin& context_of_bin,
                               const Residuals& residuals, std::uint32_t* states, std::uint16_t* end);

// Rows that a decoder works with, used again from plane to plane.
struct RowBuffers {
  std::vector<std::int16_t> values, rows;
  std::vector<std::uint8_t> activities, ends;
  std::vector<std::uint16_t> words, places;
};

// Decodes into `out`, row by row: values modulo 2^16. REQUIRES: a reference of this size, row by row, if the plane has
// a correction.
Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
                      const std::uint16_t* reference = nullptr);

}  // namespace dicube::codec::lane
