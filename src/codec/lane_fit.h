// Choosing a plane's parameters: prediction coefficients by weighted least squares, contexts from counted magnitudes.
// Integers only, so that every machine chooses the same.
#pragma once

#include <algorithm>
#include <bit>
#include <span>

#include "codec/lane_stream.h"

namespace dicube::codec::lane {

// Values raised and with their neighbours beyond the edges in place: row y begins at row(y), y from -1 on; x from -2 to
// columns.
class RaisedPlane {
 public:
  static constexpr std::size_t kLeft = 32, kRight = 96;  // values in front of and behind a row that may be read

  void assign(std::span<const std::int16_t> values, Size size, int raise);
  const std::int16_t* row(std::int64_t y) const {
    return values_.data() + static_cast<std::size_t>(y + 1) * stride_ + kLeft;
  }

 private:
  std::vector<std::int16_t> values_;
  std::size_t stride_ = 0;
};

// A sample is fitted in parts of what is usual where neighbours differ as much: its numbers times `up` and then, in
// 2^15ths, times `over`.
struct Scale {
  std::int16_t up, over;
};
// 2^8 / (2 + gradient / 2), for samples whose neighbours differ by `gradient`, at most 32767, in sum. Numbers of up to
// 8 gradient + 7 become less than 2^12, with nothing overflowing on the way.
constexpr Scale make_scale(std::uint32_t gradient) {
  const int up = std::max(0, 12 - static_cast<int>(std::bit_width(gradient)));
  return {static_cast<std::int16_t>(1 << up), static_cast<std::int16_t>((1u << (24 - up)) / (4 + gradient))};
}
extern const std::array<Scale, 2048> kScales;
inline Scale scale_of(std::uint32_t gradient) {
  return gradient < kScales.size() ? kScales[gradient] : make_scale(gradient);
}

// Pixels that the prediction is fitted to: runs of neighbours, spread over the plane. Behind the last one stands one of
// zeros.
struct SampleRuns {
  static constexpr std::uint32_t kRun = 8, kEnough = 8192, kMost = 14336;
  static constexpr unsigned kTapPlaces = 8;  // of a sample: the last one is 0
  std::vector<std::int16_t> taps;            // of each sample in turn, raised
  std::vector<std::int16_t> values;          // less N, raised
  std::vector<std::uint16_t> across, down;   // mean differences from column to column and from row to row
  std::vector<std::uint16_t> gradients;      // sums of all |taps|, at most 32767; 0: not to be counted

  std::uint64_t per_row = 0, step = 1;  // runs in a row of the plane, and from one that is taken to the next one

  std::size_t size() const { return across.size(); }
  std::size_t count() const { return size() / kRun; }  // of runs
  void resize(std::size_t count);
  unsigned class_of(std::size_t i, const Plane& plane) const { return plane.class_of(across[i], down[i]); }
  // Where run `run` of those taken begins.
  std::int64_t row_of(std::size_t run) const { return static_cast<std::int64_t>(1 + run * step / per_row); }
  std::size_t column_of(std::size_t run) const { return run * step % per_row * kRun; }
};

// Normal equations: sums of tap x tap, and of tap x value.
template <unsigned kCount>
struct NormalOf {
  std::array<std::array<std::int64_t, kCount>, kCount> a = {};  // from the diagonal on
  std::array<std::int64_t, kCount> b = {};
};
constexpr unsigned kBothTaps = kTaps + kReferenceTaps;
using Normal = NormalOf<kTaps>;
using JointNormal = NormalOf<kBothTaps>;  // with those of a reference

// A sample counts half as much each time that what known coefficients miss is twice as large, from this on: in 128ths
// of what is usual (scale_of()).
constexpr std::int16_t kNear = 24;

// Normal equations, row by row, of which what stands right of the diagonal counts, become coefficients from -127 to
// 127. Both are overwritten.
void solve(std::int64_t* a, std::span<std::int64_t> b, std::span<std::int8_t> in_64ths);

// Samples sorted by class: columns of their taps and, behind these, their values; for add_products().
class SampleColumns {
 public:
  // `classes`: of each sample; those of `count` and above are left out.
  void sort(std::span<const std::uint8_t> classes, unsigned count, unsigned columns);
  // The samples in their order, here and there with the number of samples, for one of zeros: of each class they are a
  // multiple of kTogether.
  std::span<const std::uint16_t> order() const { return {order_.data(), stride_}; }
  std::int16_t* at(unsigned column) { return values_.data() + column * stride_; }
  const std::int16_t* of(unsigned sample_class) const { return values_.data() + begins_[sample_class]; }
  std::size_t size_of(unsigned sample_class) const { return begins_[sample_class + 1] - begins_[sample_class]; }
  std::size_t stride() const { return stride_; }

  static constexpr std::size_t kTogether = 32;

 private:
  std::vector<std::uint16_t> order_;
  std::vector<std::size_t> begins_, ends_;  // of each class; the former with an end of all
  std::vector<std::int16_t> values_;
  std::size_t stride_ = 0;
};

// The number of rank `rank`, from 0 for the least.
std::uint16_t of_rank(std::span<const std::uint16_t> numbers, std::size_t rank);

// Chooses levels and coefficients, using its memory again.
class PredictionFit {
 public:
  void run(const RaisedPlane& raised, Size size, Plane& plane);
  const SampleRuns& samples() const { return samples_; }

 private:
  void choose_levels(Size size, Plane& plane);
  void sort(unsigned fraction, const Plane& plane);
  void fit(bool again, Plane& plane);

  SampleRuns samples_;
  std::vector<std::uint16_t> found_;
  static_assert(2 * SampleRuns::kMost <= 0xFFFF);  // every other run may be too few, and all of them are twice as many
  std::vector<std::uint8_t> classes_;              // of each sample; kClasses: not to be counted
  std::vector<Scale> scales_;                      // likewise, in the columns' order
  SampleColumns columns_;
};

// Magnitudes counted by the activity around them.
constexpr unsigned kBins = kActivities;
constexpr unsigned kCounted = 2048;  // larger magnitudes count as the last one
// Magnitudes that no family tells apart by a token are of one class.
struct MagnitudeClasses {
  static constexpr unsigned kMost = 128;  // there are less; of a power of two counts are found faster
  MagnitudeClasses();
  alignas(64) std::array<std::uint8_t, 1 << 16> of = {};                // the first ones are looked up in vectors
  std::array<std::array<std::uint8_t, kTokens>, kFamilies> first = {};  // of each token; the last one is the escape
  unsigned count = 0;
};
const MagnitudeClasses& magnitude_classes();
using Counts = std::array<std::array<std::uint32_t, MagnitudeClasses::kMost>, kBins>;

// Sets thresholds and contexts. Returns the context of each bin.
using ContextOfBin = std::array<std::uint8_t, kBins>;
ContextOfBin fit_contexts(const Counts& counts, Plane& plane);
// The same of thresholds that are set.
ContextOfBin contexts_of_bins(const Plane& plane);

}  // namespace dicube::codec::lane
