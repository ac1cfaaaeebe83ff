#include <algorithm>
#include <bit>
#include <cstdlib>

#include "codec/lane_bits.h"
#include "codec/lane_inter.h"
#include "codec/lane_reference.h"

namespace dicube::codec::lane {
namespace {

__extension__ using Int128 = __int128;

constexpr std::uint64_t kSamples = 5000;
constexpr unsigned kFraction = 30;  // bits behind the point of a solution
constexpr unsigned kOwn = kClasses * kTaps, kUnknown = kOwn + kReferenceClasses * kReferenceTaps;
constexpr int kMostDifference = 8191;  // counted of the reference's

struct Sample {
  Surroundings at;
  ReferenceTaps taps;
  std::int16_t raised, coded;
  std::uint32_t gradient;  // of the neighbours; not raised
  std::int16_t expected;   // without the reference
};

using Samples = std::vector<Sample>;

std::uint32_t sum_of(std::span<const std::int16_t> differences) {
  std::uint32_t sum = 0;
  for (std::int16_t difference : differences) sum += static_cast<std::uint32_t>(std::abs(std::int32_t{difference}));
  return sum;
}

Samples take_samples(const RaisedPlane& raised, std::span<const std::int16_t> coded, const ReferencePlane& reference,
                     Size size, const Plane& plane) {
  const std::uint64_t pixels = (size.rows - std::uint64_t{1}) * size.columns;
  const std::uint64_t step = std::max<std::uint64_t>(1, pixels / kSamples) | 1;
  const int fraction = std::max(0, plane.raise());
  Samples samples;
  samples.reserve(pixels / step + 1);
  for (std::uint64_t pixel = 0; pixel < pixels; pixel += step) {
    const auto y = static_cast<std::int64_t>(1 + pixel / size.columns);
    const auto x = static_cast<std::ptrdiff_t>(pixel % size.columns);
    const std::int16_t *here = raised.row(y) + x, *above = raised.row(y - 1) + x,
                       *top = raised.row(std::max<std::int64_t>(y - 2, -1)) + x;
    Sample sample;
    sample.at = surroundings([&](int dy, int dx) { return (dy == 0 ? here : dy == -1 ? above : top)[dx]; });
    sample.gradient = sum_of(sample.at.differences) >> fraction;
    sample.taps = reference_taps([&](int dy, int dx) { return reference.row(y + dy)[x + dx]; });
    if (sample.gradient == 0 && sample.taps.unrest == 0) continue;
    sample.raised = *here;
    sample.coded = coded[size.columns + pixel];
    sample.expected = predict(plane, sample.at);
    samples.push_back(sample);
  }
  return samples;
}

// Classes of equally many samples, and as many bits behind the point as nearly all differences leave.
Correction make_correction(const Samples& samples) {
  Correction correction;
  std::vector<std::int16_t> unrest, largest;
  std::uint64_t sum = 0;
  for (const Sample& sample : samples) {
    if (sample.taps.unrest > 0) unrest.push_back(sample.taps.unrest);
    sum += static_cast<std::uint64_t>(sample.taps.unrest);
    std::int16_t most = 0;
    for (std::int16_t difference : sample.taps.differences)
      most = std::max(most, static_cast<std::int16_t>(std::abs(difference)));
    largest.push_back(most);
  }
  const auto quantile = [](std::vector<std::int16_t>& values, std::size_t part, std::size_t parts) {
    if (values.empty()) return std::int16_t{0};
    const auto at = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) * part / parts);
    std::nth_element(values.begin(), at, values.end());
    return *at;
  };
  for (unsigned i = 0; i + 1 < kReferenceClasses; ++i)
    correction.unrest[i] = quantile(unrest, i + 1, kReferenceClasses);
  const int most = quantile(largest, 1000, 1001);
  while (correction.lift < 8 && most << (correction.lift + 1) <= 32767) ++correction.lift;
  constexpr std::uint64_t kMeanUnrest = 80;
  while (correction.unrest_shift < 15 &&
         sum / std::max<std::size_t>(1, samples.size()) >> correction.unrest_shift > kMeanUnrest)
    ++correction.unrest_shift;
  return correction;
}

// Normal equations. A row has an entry for each unknown: the coefficients of all classes, then those of the reference's
// classes.
class Equations {
 public:
  Equations() : a_(kUnknown * kUnknown), b_(kUnknown) {}

  void add(const Plane& plane, const Correction& correction, const Sample& sample) {
    const int fraction = std::max(0, plane.raise()), sunk = plane.raise() < 0 ? 1 : 0;
    std::array<std::int32_t, kBoth> taps;
    for (unsigned i = 0; i < kTaps; ++i) taps[i] = sample.at.differences[i] >> fraction;
    for (unsigned i = 0; i < kReferenceTaps; ++i)
      taps[kTaps + i] = std::clamp<int>(sample.taps.differences[i], -kMostDifference, kMostDifference) >> sunk;
    const auto missed = static_cast<std::uint32_t>(std::abs(sample.coded - sample.expected)) >> sunk;
    const std::int64_t weight = fit_weight(std::max(sample.gradient + 2 * missed, sum_of(sample.taps.differences) / 8));
    const std::int32_t value = (sample.raised - sample.at.north) >> fraction;
    Sums& sums = sums_[class_of(sample.at, plane.texture)][class_of(correction, sample.taps.unrest)];
    for (unsigned i = 0; i < kBoth; ++i) {
      const std::int64_t weighted = weight * taps[i];
      for (unsigned j = i; j < kBoth; ++j) sums.a[i][j] += (weighted * taps[j]) >> 4;
      sums.b[i] += (weighted * value) >> 4;
    }
  }

  // Gaussian elimination with numbers of kFraction bits behind the point. Unknowns of different classes have nothing in
  // common, which saves most of the work.
  std::array<std::int8_t, kUnknown> solve() {
    for (unsigned own = 0; own < kClasses; ++own)
      for (unsigned other = 0; other < kReferenceClasses; ++other)
        place(sums_[own][other], own * kTaps, kOwn + other * kReferenceTaps);
    condition();
    for (unsigned i = 0; i < kUnknown; ++i)
      for (unsigned row = i + 1; row < kUnknown; ++row) {
        if (at(row, i) == 0) continue;
        const Int128 factor = (Int128{at(row, i)} << kFraction) / std::max<std::int64_t>(1, at(i, i));
        for (unsigned j = i; j < kUnknown; ++j)
          if (at(i, j) != 0) at(row, j) -= static_cast<std::int64_t>((factor * at(i, j)) >> kFraction);
        b_[row] -= static_cast<std::int64_t>((factor * b_[i]) >> kFraction);
      }
    std::array<Int128, kUnknown> solution = {};
    std::array<std::int8_t, kUnknown> coefficients = {};
    for (unsigned i = kUnknown; i-- > 0;) {
      Int128 rest = Int128{b_[i]} << kFraction;
      for (unsigned j = i + 1; j < kUnknown; ++j) rest -= solution[j] * at(i, j);
      const Int128 most = Int128{4} << kFraction;
      solution[i] = std::clamp<Int128>(rest / std::max<std::int64_t>(1, at(i, i)), -most, most);
      const auto in_64ths = static_cast<std::int64_t>((solution[i] * 64 + (Int128{1} << (kFraction - 1))) >> kFraction);
      coefficients[i] = static_cast<std::int8_t>(std::clamp<std::int64_t>(in_64ths, -127, 127));
    }
    return coefficients;
  }

 private:
  static constexpr unsigned kBoth = kTaps + kReferenceTaps;
  struct Sums {  // of a pair of classes
    std::array<std::array<std::int64_t, kBoth>, kBoth> a = {};
    std::array<std::int64_t, kBoth> b = {};
  };

  void place(const Sums& sums, std::size_t own, std::size_t other) {
    const auto unknown = [&](unsigned i) { return i < kTaps ? own + i : other + i - kTaps; };
    for (unsigned i = 0; i < kBoth; ++i) {
      for (unsigned j = i; j < kBoth; ++j) at(unknown(i), unknown(j)) += sums.a[i][j];
      b_[unknown(i)] += sums.b[i];
    }
  }
  std::int64_t& at(std::size_t row, std::size_t column) { return a_[row * kUnknown + column]; }

  // What few samples of a class don't say, all classes do; then numbers that leave room, and taps that hardly differ
  // stay small.
  void condition() {
    for (unsigned i = 0; i < kUnknown; ++i)
      for (unsigned j = 0; j < i; ++j) at(i, j) = at(j, i);
    share(0, kClasses, kTaps);
    share(kOwn, kReferenceClasses, kReferenceTaps);
    std::int64_t largest = 1;
    for (unsigned i = 0; i < kUnknown; ++i) largest = std::max(largest, at(i, i));
    const int down = std::max(0, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest))) - 44);
    for (std::int64_t& value : a_) value >>= down;
    for (std::int64_t& value : b_) value >>= down;
    for (unsigned i = 0; i < kUnknown; ++i) at(i, i) += (at(i, i) >> 10) + (largest >> down >> 16) + 1;
  }
  void share(std::size_t first, std::size_t classes, std::size_t taps) {
    for (std::size_t i = 0; i < taps; ++i) {
      for (std::size_t j = 0; j < taps; ++j) {
        std::int64_t all = 0;
        for (std::size_t c = 0; c < classes; ++c) all += at(first + c * taps + i, first + c * taps + j) >> 6;
        for (std::size_t c = 0; c < classes; ++c) at(first + c * taps + i, first + c * taps + j) += all;
      }
      std::int64_t all = 0;
      for (std::size_t c = 0; c < classes; ++c) all += b_[first + c * taps + i] >> 6;
      for (std::size_t c = 0; c < classes; ++c) b_[first + c * taps + i] += all;
    }
  }

  std::array<std::array<Sums, kReferenceClasses>, kClasses> sums_ = {};
  std::vector<std::int64_t> a_, b_;
};

}  // namespace

bool fit_correction(const RaisedPlane& raised, std::span<const std::int16_t> coded, const ReferencePlane& reference,
                    Size size, Plane& plane) {
  if (size.rows < 2) return false;
  const Samples samples = take_samples(raised, coded, reference, size, plane);
  if (samples.empty()) return false;
  const Correction correction = make_correction(samples);
  Equations equations;
  for (const Sample& sample : samples) equations.add(plane, correction, sample);
  const auto solution = equations.solve();
  Plane fitted = plane;
  fitted.correction = correction;
  for (unsigned i = 0; i < kOwn; ++i) fitted.coefficients[i / kTaps][i % kTaps] = solution[i];
  for (unsigned i = kOwn; i < kUnknown; ++i)
    fitted.correction->coefficients[(i - kOwn) / kReferenceTaps][(i - kOwn) % kReferenceTaps] = solution[i];
  std::int64_t before = 0, after = 0;
  for (const Sample& sample : samples) {
    before += bits_of_difference(sample.coded - sample.expected);
    after += bits_of_difference(sample.coded - predict(fitted, sample.at) - correct(*fitted.correction, sample.taps));
  }
  if (after + after / 512 >= before) return false;
  plane = std::move(fitted);
  return true;
}

}  // namespace dicube::codec::lane
