#include <algorithm>
#include <numeric>

#include "codec/lane_bits.h"
#include "codec/lane_inter.h"
#include "codec/lane_simd.h"

namespace dicube::codec::lane {
namespace {

constexpr unsigned kPairs = kClasses * kReferenceClasses;
constexpr unsigned kMostUnknown = kClasses * kTaps + kReferenceClasses * kReferenceTaps;
constexpr unsigned kRounds = 2;  // of the fit
constexpr std::size_t kFew = 3;  // every so many samples say where the thresholds of unrest are

// The unrest of differences, a mean of their sizes when they are lifted, from the sum of these when they are not.
std::int16_t unrest_of(unsigned sides, int lift) {
  return static_cast<std::int16_t>(std::min(((sides << lift) + 2) / 4, 32767U));
}

unsigned size_of(std::uint16_t magnitude) { return (magnitude + 1U) / 2; }

// Normal equations. A row has an entry for each unknown: the coefficients of all classes that there are, then those of
// the reference's classes.
class Equations {
 public:
  explicit Equations(const Plane& plane) {
    for (unsigned c = 0; c < kClasses; ++c)
      if (plane.has_class(c)) places_[c] = kTaps * classes_++;
    unknown_ = kTaps * classes_ + kReferenceTaps * kReferenceClasses;
    a_.resize(unknown_ * unknown_);
    b_.resize(unknown_);
  }

  // Sums of a pair of classes.
  void add(const JointNormal& sums, unsigned own_class, unsigned reference_class) {
    const auto unknown = [&](unsigned i) {
      return i < kTaps ? places_[own_class] + i : own() + reference_class * kReferenceTaps + i - kTaps;
    };
    for (unsigned i = 0; i < kBothTaps; ++i) {
      for (unsigned j = i; j < kBothTaps; ++j) at(unknown(i), unknown(j)) += sums.a[i][j];
      b_[unknown(i)] += sums.b[i];
    }
  }

  // Sets the coefficients of the plane and of its correction.
  void solve(Plane& plane) {
    share(0, classes_, kTaps);
    share(own(), kReferenceClasses, kReferenceTaps);
    std::array<std::int8_t, kMostUnknown> solution = {};
    lane::solve(a_.data(), b_, solution);
    for (unsigned c = 0; c < kClasses; ++c)
      if (plane.has_class(c)) std::copy_n(&solution[places_[c]], kTaps, plane.coefficients[c].begin());
    for (unsigned c = 0; c < kReferenceClasses; ++c)
      std::copy_n(&solution[own() + c * kReferenceTaps], kReferenceTaps, plane.correction->coefficients[c].begin());
  }

 private:
  std::size_t own() const { return kTaps * classes_; }
  std::int64_t& at(std::size_t row, std::size_t column) { return a_[row * unknown_ + column]; }

  // What few samples of a class don't say, all classes do.
  void share(std::size_t first, std::size_t classes, std::size_t taps) {
    for (std::size_t i = 0; i < taps; ++i) {
      for (std::size_t j = i; j < taps; ++j) {
        std::int64_t all = 0;
        for (std::size_t c = 0; c < classes; ++c) all += at(first + c * taps + i, first + c * taps + j);
        for (std::size_t c = 0; c < classes; ++c) at(first + c * taps + i, first + c * taps + j) += all >> 12;
      }
      std::int64_t all = 0;
      for (std::size_t c = 0; c < classes; ++c) all += b_[first + c * taps + i];
      for (std::size_t c = 0; c < classes; ++c) b_[first + c * taps + i] += all >> 12;
    }
  }

  std::array<std::size_t, kClasses> places_ = {};
  std::size_t classes_ = 0, unknown_ = 0;
  std::vector<std::int64_t> a_, b_;
};

// Each level stands for two: there are too few samples for more unknowns.
Plane with_fewer_levels(Plane plane) {
  if (plane.levels < kMostLevels || plane.level_shift == kMostLevelShift) return plane;
  plane.levels /= 2;
  ++plane.level_shift;
  for (unsigned c = 0; c < kClasses; ++c)
    if (plane.has_class(c)) plane.coefficients[c] = plane.coefficients[c + c % kMostLevels];
  return plane;
}

}  // namespace

void ReferenceSamples::resize(std::size_t count) {
  taps.resize(kReferenceTaps * (count + 1));
  std::fill(taps.end() - kReferenceTaps, taps.end(), std::int16_t{0});
  sides.resize(count);
  largest.resize(count);
  sums.resize(count + 1);
  sums.back() = 0;
}

// Classes of equally many samples, and as many bits behind the point as nearly all differences leave.
Correction CorrectionFit::start() {
  const auto quantile = [](std::span<const std::uint16_t> values, std::size_t part, std::size_t parts) {
    return values.empty() ? 0U : unsigned{of_rank(values, (values.size() - 1) * part / parts)};
  };
  Correction correction;
  found_.clear();
  for (std::size_t i = 0; i < samples_.size(); i += kFew)
    if (samples_.sides[i] > 0) found_.push_back(samples_.sides[i]);
  const std::uint64_t sum = std::accumulate(samples_.sides.begin(), samples_.sides.end(), std::uint64_t{0});
  const unsigned most = quantile(samples_.largest, 1000, 1001);
  while (correction.lift < 8 && most << (correction.lift + 1) <= 32767) ++correction.lift;
  for (unsigned i = 0; i + 1 < kReferenceClasses; ++i)
    correction.unrest[i] = unrest_of(quantile(found_, i + 1, kReferenceClasses), correction.lift);
  constexpr std::uint64_t kMeanUnrest = 80;
  while (correction.unrest_shift < 15 &&
         sum / std::max<std::size_t>(1, samples_.size()) >> correction.unrest_shift > kMeanUnrest)
    ++correction.unrest_shift;
  // So far of sums of four; of means of four that are lifted:
  correction.unrest_shift = static_cast<std::uint8_t>(std::clamp(correction.unrest_shift + correction.lift - 2, 0, 15));
  return correction;
}

void CorrectionFit::sort(const SampleRuns& runs, const Plane& plane, const Correction& correction) {
  const int fraction = std::max(0, plane.raise()), sunk = plane.raise() < 0 ? 1 : 0;
  classes_.resize(samples_.size());
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const std::size_t own = samples_.place(i);
    const unsigned own_class = runs.class_of(own, plane);
    const bool counts = runs.gradients[own] > 0 || samples_.sides[i] > 0;
    classes_[i] = static_cast<std::uint8_t>(
        counts ? own_class * kReferenceClasses + class_of(correction, unrest_of(samples_.sides[i], correction.lift))
               : kPairs);
  }
  columns_.sort(classes_, kPairs, kBothTaps + 1);
  const std::span<const std::uint16_t> order = columns_.order();
  places_.resize(order.size());
  std::transform(order.begin(), order.end(), places_.begin(), [&](std::size_t i) {
    return static_cast<std::uint16_t>(i < samples_.size() ? samples_.place(i) : runs.size());
  });
  scales_.resize(order.size());
  std::transform(order.begin(), order.end(), places_.begin(), scales_.begin(), [&](std::size_t i, std::size_t own) {
    return scale_of(std::max(unsigned{runs.gradients[own]} >> fraction, unsigned{samples_.sums[i]} / 4));
  });
  spread_taps(runs.taps, places_, scales_, fraction, columns_.at(0));
  spread_taps(samples_.taps, order, scales_, sunk, columns_.at(kTaps));
  spread_values(runs.values, places_, scales_, fraction, columns_.at(kBothTaps));
}

std::optional<Plane> CorrectionFit::run(const SampleRuns& runs, const RaisedPlane& raised, const std::int16_t* coded,
                                        Size size, const ReferencePlane& reference, const Plane& alone) {
  take_reference_samples(reference, runs, samples_);
  for (std::vector<std::uint16_t>* of : {&alone_, &after_}) of->resize(samples_.size() + ReferencePlane::kRight);
  corrections_.resize(samples_.size() + ReferencePlane::kRight);
  predict_runs(alone, raised, coded, size, runs, samples_.every, nullptr, alone_.data());
  Plane fitted = with_fewer_levels(alone);
  fitted.correction = start();
  sort(runs, fitted, *fitted.correction);
  for (unsigned round = 0; round < kRounds; ++round) fit(fitted);
  correct_runs(CorrectionTables(*fitted.correction), reference, runs, samples_.every, corrections_.data());
  predict_runs(fitted, raised, coded, size, runs, samples_.every, corrections_.data(), after_.data());
  promise_ = {bits(runs, size, alone_), bits(runs, size, after_)};
  if (promise_.after + promise_.after / 512 < promise_.alone) return fitted;
  promise_.after = promise_.alone;
  return std::nullopt;
}

// Samples count by what the plane's coefficients and correction miss.
void CorrectionFit::fit(Plane& plane) {
  Equations equations(plane);
  for (unsigned pair = 0; pair < kPairs; ++pair) {
    const unsigned own = pair / kReferenceClasses, of_reference = pair % kReferenceClasses;
    if (!plane.has_class(own)) continue;
    Coefficients<kBothTaps> known = {};
    std::copy_n(plane.coefficients[own].begin(), kTaps, known.begin());
    std::copy_n(plane.correction->coefficients[of_reference].begin(), kReferenceTaps, known.begin() + kTaps);
    JointNormal sums;
    add_products(columns_.of(pair), columns_.stride(), columns_.size_of(pair), &known, sums);
    equations.add(sums, own, of_reference);
  }
  equations.solve(plane);
}

std::uint64_t CorrectionFit::bits(const SampleRuns& runs, Size size,
                                  const std::vector<std::uint16_t>& magnitudes) const {
  std::uint64_t sum = 0;
  for (std::size_t run = 0, at = 0; run < runs.count(); run += samples_.every, at += SampleRuns::kRun) {
    const auto inside =
        static_cast<unsigned>(std::min<std::size_t>(SampleRuns::kRun, size.columns - runs.column_of(run)));
    unsigned missed = 0;
    for (std::size_t i = at; i < at + inside; ++i) missed += size_of(magnitudes[i]);
    sum += inside * static_cast<unsigned>(bits_by_octave(2 * missed + inside) - bits_by_octave(inside));
  }
  return sum;
}

}  // namespace dicube::codec::lane
