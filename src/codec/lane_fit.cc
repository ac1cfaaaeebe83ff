#include "codec/lane_fit.h"

#include <algorithm>
#include <limits>

#include "codec/lane_reference.h"
#include "codec/lane_simd.h"

namespace dicube::codec::lane {
namespace {

__extension__ using Int128 = __int128;

constexpr unsigned kFraction = 30;  // bits behind the point of a solution

// With `down` bits less, or more where that is negative.
std::int64_t shifted(std::int64_t value, int down) {
  return down >= 0 ? value >> down : value * (std::int64_t{1} << -down);
}

// More than what sums of shares of sums lose by rounding, so that the matrix stays positive definite; far less than one
// sample adds.
constexpr std::int64_t kRounded = 64;

std::int64_t wrapped_difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t wrapped_product(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// 1 / number, for numbers that are positive or count as 1.
class Reciprocal {
 public:
  explicit Reciprocal(std::int64_t number) {
    const auto divisor = static_cast<std::uint64_t>(std::max<std::int64_t>(1, number));
    up_ = static_cast<unsigned>(std::countl_zero(divisor) - 1);
    value_ = static_cast<std::int64_t>((std::uint64_t{1} << 62) / (divisor << up_ >> (kUp - 62)));
  }
  // With kFraction bits behind the point; as much of it as fits.
  std::int64_t times(std::int64_t number) const {
    constexpr Int128 kMost = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::clamp((Int128{number} * value_) >> (kUp - kFraction - up_), -kMost, kMost));
  }

 private:
  static constexpr unsigned kUp = 93;  // so far to the left 1 is divided
  unsigned up_;                        // so far to the left the number has 63 bits
  std::int64_t value_;
};

constexpr unsigned kRounds = 3;               // least squares, and twice more with less of those that are far off
constexpr std::size_t kManyGradients = 2048;  // of more, every fourth one says as much

void add(const Normal& from, unsigned shift, Normal& to) {
  for (unsigned i = 0; i < kTaps; ++i) {
    for (unsigned j = i; j < kTaps; ++j) to.a[i][j] += from.a[i][j] >> shift;
    to.b[i] += from.b[i] >> shift;
  }
}

}  // namespace

void RaisedPlane::assign(std::span<const std::int16_t> values, Size size, int raise) {
  stride_ = kLeft + size.columns + kRight;
  values_.resize(stride_ * (size.rows + std::size_t{1}));
  for (std::int64_t y = -1; y < size.rows; ++y) {
    std::int16_t* row = values_.data() + static_cast<std::size_t>(y + 1) * stride_ + kLeft;
    const std::int16_t* from = values.data() + static_cast<std::size_t>(std::max<std::int64_t>(y, 0)) * size.columns;
    for (std::size_t x = 0; x < size.columns; ++x) row[x] = raised(from[x], raise);
    std::fill(row + size.columns, row + size.columns + kRight, row[size.columns - 1]);
    const std::int16_t* above = row - stride_;
    row[-1] = y <= 0 ? std::int16_t{0} : above[0];
    row[-2] = y <= 0 ? std::int16_t{0} : above[-1];
  }
}

constexpr std::array<Scale, 2048> kScales = [] {
  std::array<Scale, 2048> scales = {};
  for (std::uint32_t i = 0; i < scales.size(); ++i) scales[i] = make_scale(i);
  return scales;
}();

// Gaussian elimination with numbers of kFraction bits behind the point. The matrix is positive definite but for
// rounding. Rows and columns are scaled by powers of two, so that numbers on the diagonal have 29 or 30 bits and
// products fit 64.
void solve(std::int64_t* a, std::span<std::int64_t> b, std::span<std::int8_t> in_64ths) {
  const std::size_t count = b.size();
  std::int64_t largest = 1;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, a[i * count + i]);
  std::vector<int> down(count);
  for (std::size_t i = 0; i < count; ++i) {  // taps that hardly differ stay small
    std::int64_t& own = a[i * count + i];
    own += (own >> 10) + (largest >> 24) + kRounded;
    down[i] = (static_cast<int>(std::bit_width(static_cast<std::uint64_t>(own))) - 29) >> 1;
    b[i] = shifted(b[i], down[i]);
  }
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = i; j < count; ++j) a[i * count + j] = shifted(a[i * count + j], down[i] + down[j]);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t* const from = a + i * count;
    const Reciprocal pivot(from[i]);
    for (std::size_t row = i + 1; row < count; ++row) {
      if (from[row] == 0) continue;  // unknowns of different classes have nothing in common
      const std::int64_t factor = pivot.times(from[row]);
      std::int64_t* const to = a + row * count;
      for (std::size_t j = row; j < count; ++j)
        to[j] = wrapped_difference(to[j], wrapped_product(factor, from[j]) >> kFraction);
      b[row] = wrapped_difference(b[row], static_cast<std::int64_t>((Int128{factor} * b[i]) >> kFraction));
    }
  }
  std::vector<std::int64_t> solution(count);
  for (std::size_t i = count; i-- > 0;) {
    const std::int64_t* const row = a + i * count;
    Int128 rest = Int128{b[i]} << kFraction;
    for (std::size_t j = i + 1; j < count; ++j) rest -= Int128{solution[j]} * row[j];
    const std::int64_t most = shifted(std::int64_t{4} << kFraction, -down[i]);
    solution[i] = std::clamp(Reciprocal(row[i]).times(static_cast<std::int64_t>(rest >> kFraction)), -most, most);
    const std::int64_t whole = (shifted(solution[i], down[i]) * 64 + (std::int64_t{1} << (kFraction - 1))) >> kFraction;
    in_64ths[i] = static_cast<std::int8_t>(std::clamp<std::int64_t>(whole, -127, 127));
  }
}

void SampleColumns::sort(std::span<const std::uint8_t> classes, unsigned count, unsigned columns) {
  std::array<std::uint32_t, 256> even = {}, odd = {};  // a count just written is slow to read
  for (std::size_t i = 0; i + 1 < classes.size(); i += 2) {
    ++even[classes[i]];
    ++odd[classes[i + 1]];
  }
  if (classes.size() % 2 != 0) ++even[classes.back()];
  begins_.assign(count + 1, 0);
  for (unsigned c = 0; c < count; ++c)
    begins_[c + 1] = begins_[c] + (even[c] + odd[c] + kTogether - 1) / kTogether * kTogether;
  ends_.assign(begins_.begin(), begins_.end());  // the last one: of what is left out, behind all
  stride_ = begins_[count];
  order_.assign(stride_ + classes.size(), static_cast<std::uint16_t>(classes.size()));
  for (std::size_t i = 0; i < classes.size(); ++i)
    order_[ends_[std::min<unsigned>(classes[i], count)]++] = static_cast<std::uint16_t>(i);
  values_.resize(stride_ * columns);
}

std::uint16_t of_rank(std::span<const std::uint16_t> numbers, std::size_t rank) {
  constexpr unsigned kLow = 7;
  const auto found = [&rank](std::span<const std::uint32_t> counts) {
    unsigned i = 0;
    for (; rank >= counts[i]; ++i) rank -= counts[i];
    return i;
  };
  std::array<std::uint32_t, 1 << (16 - kLow)> of_high = {}, of_odd = {};  // a count just written is slow to read
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2) {
    ++of_high[numbers[i] >> kLow];
    ++of_odd[numbers[i + 1] >> kLow];
  }
  if (numbers.size() % 2 != 0) ++of_odd[numbers.back() >> kLow];
  for (std::size_t i = 0; i < of_high.size(); ++i) of_high[i] += of_odd[i];
  const unsigned high = found(of_high);
  std::array<std::uint32_t, 1 << kLow> of_low = {};
  for (const std::uint16_t number : numbers)
    if (number >> kLow == high) ++of_low[number & (of_low.size() - 1)];
  return static_cast<std::uint16_t>(high << kLow | found(of_low));
}

void SampleRuns::resize(std::size_t count) {
  taps.resize(kTapPlaces * (count + 1));
  std::fill(taps.end() - kTapPlaces, taps.end(), std::int16_t{0});
  values.resize(count + 1);
  values.back() = 0;
  across.resize(count);
  down.resize(count);
  gradients.resize(count + 1);
  gradients.back() = 0;
}

void PredictionFit::run(const RaisedPlane& raised, Size size, Plane& plane) {
  if (size.rows < 2) return;
  take_samples(raised, size, samples_);
  const auto fraction = static_cast<unsigned>(std::max(0, plane.raise()));
  choose_levels(size, plane);
  sort(fraction, plane);
  for (unsigned round = 0; round < kRounds; ++round) fit(round > 0, plane);
}

void PredictionFit::fit(bool again, Plane& plane) {
  std::array<Normal, kClasses> normals;
  Normal all;
  for (unsigned c = 0; c < kClasses; ++c) {
    add_products(columns_.of(c), columns_.stride(), columns_.size_of(c), again ? &plane.coefficients[c] : nullptr,
                 normals[c]);
    add(normals[c], 0, all);
  }
  for (unsigned c = 0; c < kClasses; ++c) {
    if (!plane.has_class(c)) continue;
    add(all, 10, normals[c]);  // what few samples don't say, all of them do
    solve(&normals[c].a[0][0], normals[c].b, plane.coefficients[c]);
  }
}

// So that a fifth of the gradients that are not 0 are of the last level.
void PredictionFit::choose_levels(Size size, Plane& plane) {
  constexpr std::uint64_t kMedium = 1 << 14,
                          kLarge = 1 << 16;  // more coefficients than these must pay for take more bytes
  plane.levels = size.pixels() > kLarge ? kMostLevels : size.pixels() > kMedium ? kMostLevels / 2 : kMostLevels / 4;
  found_.clear();
  const std::size_t step = samples_.size() > kManyGradients ? 4 : 1;
  for (std::size_t i = 0; i < samples_.size(); i += step)
    if (samples_.gradients[i] > 0)
      found_.push_back(
          static_cast<std::uint16_t>(std::min(Plane::mean_difference(samples_.across[i], samples_.down[i]), 32767U)));
  const unsigned most = found_.empty() ? 0 : of_rank(found_, found_.size() * 4 / 5);
  plane.level_shift = 0;
  while (plane.level_shift < kMostLevelShift && most >> plane.level_shift >= plane.levels) ++plane.level_shift;
}

void PredictionFit::sort(unsigned fraction, const Plane& plane) {
  const std::size_t count = samples_.size();
  classes_.resize(count);
  const std::uint16_t* const gradients = samples_.gradients.data();
  std::uint8_t* const classes = classes_.data();
  for (std::size_t i = 0; i < count; ++i)
    classes[i] =
        static_cast<std::uint8_t>(gradients[i] >> fraction > 0 ? samples_.class_of(i, plane) : unsigned{kClasses});
  columns_.sort(classes_, kClasses, kTaps + 1);
  const std::span<const std::uint16_t> order = columns_.order();
  scales_.resize(order.size());
  std::transform(order.begin(), order.end(), scales_.begin(),
                 [&](std::size_t i) { return scale_of(unsigned{gradients[i]} >> fraction); });
  spread_taps(samples_.taps, order, scales_, static_cast<int>(fraction), columns_.at(0));
  spread_values(samples_.values, order, scales_, static_cast<int>(fraction), columns_.at(kTaps));
}

}  // namespace dicube::codec::lane
