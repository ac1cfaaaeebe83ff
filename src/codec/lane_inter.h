// What a reference, an earlier frame, says of a plane: a correction for each value, known before the first of them is
// decoded, and the unrest around each, for the contexts. spec/lane.md, section 5.
#pragma once

#include <span>

#include "codec/codec.h"
#include "codec/lane_fit.h"

namespace dicube::codec::lane {

// A plane of the reference, modulo 2^16, and its neighbours beyond the edges, for encoders: row y begins at row(y), y
// from -1 to the number of rows.
class ReferencePlane {
 public:
  static constexpr std::size_t kLeft = 32, kRight = 160;  // values in front of and behind a row that may be read

  void assign(std::span<const std::uint16_t> values, Size size);
  const std::int16_t* row(std::int64_t y) const {
    return values_.data() + static_cast<std::size_t>(y + 1) * stride_ + kLeft;
  }
  Size size() const { return size_; }

 private:
  std::vector<std::int16_t> values_;
  std::size_t stride_ = 0;
  Size size_;
};

// How unquiet the reference is around a value, and how it differs there, lifted. `at(dy, dx)`: a value of the
// reference, so many rows below and columns to the right.
struct ReferenceTaps {
  std::array<std::int16_t, kReferenceTaps> differences;
  std::int16_t unrest;
};
template <class At>
ReferenceTaps reference_taps(const Correction& correction, const At& at) {
  const auto difference = [&](int dy, int dx) {
    return static_cast<std::int16_t>((int{at(dy, dx)} - int{at(0, 0)}) * (1 << correction.lift));
  };
  ReferenceTaps taps{{difference(-1, 0), difference(1, 0), difference(0, -1), difference(0, 1), difference(-1, -1),
                      difference(-1, 1), difference(1, -1), difference(1, 1)},
                     0};
  const auto size = [&](unsigned tap) {
    return taps.differences[tap] < 0 ? -taps.differences[tap] : taps.differences[tap];
  };
  const auto mean = [](int a, int b) { return (a + b + 1) / 2; };
  taps.unrest = static_cast<std::int16_t>(std::min(32767, mean(mean(size(0), size(1)), mean(size(2), size(3)))));
  return taps;
}
inline unsigned class_of(const Correction& correction, std::int16_t unrest) {
  return (unrest > correction.unrest[0] ? 1U : 0U) + (unrest > correction.unrest[1] ? 1U : 0U);
}
std::int16_t correct(const Correction& correction, const ReferenceTaps& taps);

// A correction as vectors look it up: made once per plane, for what was just written is slow to read.
struct CorrectionTables {
  explicit CorrectionTables(const Correction& correction);
  int lift, unrest_shift;
  std::array<std::int16_t, kReferenceClasses - 1> unrest;
  alignas(16) std::int16_t coefficients[kReferenceTaps][8] = {};  // by tap and class, 2^8 times as large
};

// Of row `y` > 0, in vectors. Both have room for ReferencePlane::kRight more.
void correct_row(const CorrectionTables& tables, const ReferencePlane& reference, std::int64_t y,
                 std::int16_t* corrections, std::uint8_t* unrest);

// Of the pixels of every few runs, one run behind the other, with room for kRight more.
void correct_runs(const CorrectionTables& tables, const ReferencePlane& reference, const SampleRuns& runs,
                  std::size_t every, std::int16_t* corrections);

// Context indices, from the activities around magnitudes and around their places in the reference; in place. Both have
// room for a vector more.
void join_unrest(const std::uint8_t* unrest, std::uint8_t* around, std::size_t count);

// What a reference says of some pixels: of every few of the runs that the prediction is fitted to. Behind the last one
// stands one of zeros.
struct ReferenceSamples {
  static constexpr std::size_t kRuns = 570;  // about; small planes have fewer
  std::size_t every = 1;
  std::vector<std::int16_t> taps;            // of each sample in turn, not lifted
  std::vector<std::uint16_t> sides;          // sums of the first four |taps|, at most 65535
  std::vector<std::uint16_t> largest, sums;  // of all |taps|, at most 32767

  std::size_t size() const { return sides.size(); }
  void resize(std::size_t count);
  // Where sample `i` stands among those of the runs.
  std::size_t place(std::size_t i) const {
    return i / SampleRuns::kRun * every * SampleRuns::kRun + i % SampleRuns::kRun;
  }
};

// Chooses corrections, using its memory again.
class CorrectionFit {
 public:
  // The plane with coefficients and correction for this reference, where they promise to pay; from one that was fitted
  // without it, to `runs` of the raised values. `coded`: the plane's values. REQUIRES: two rows.
  std::optional<Plane> run(const SampleRuns& runs, const RaisedPlane& raised, const std::int16_t* coded, Size size,
                           const ReferencePlane& reference, const Plane& alone);
  // What the last run() found: of some of the plane's pixels.
  const Promise& promise() const { return promise_; }

 private:
  Correction start();
  void sort(const SampleRuns& runs, const Plane& plane, const Correction& correction);
  void fit(Plane& plane);
  std::uint64_t bits(const SampleRuns& runs, Size size, const std::vector<std::uint16_t>& magnitudes) const;

  Promise promise_;
  ReferenceSamples samples_;
  std::vector<std::uint16_t> alone_, after_;  // magnitudes of the samples, without and with the reference
  std::vector<std::int16_t> corrections_;     // of the samples
  std::vector<std::uint16_t> found_, places_;
  std::vector<std::uint8_t> classes_;  // of each sample: that of the plane's, and of the reference's
  std::vector<Scale> scales_;          // likewise, in the columns' order
  SampleColumns columns_;              // of the plane's taps, of the reference's, and of values
};

}  // namespace dicube::codec::lane
