#include "codec/lane_reference.h"

#include <algorithm>
#include <cstdlib>

#include "codec/lane_inter.h"

namespace dicube::codec::lane {
namespace {

// What the reference is to the value at (y, x).
ReferenceTaps taps_at(const Correction& correction, const std::uint16_t* reference, Size size, std::int64_t y,
                      std::int64_t x) {
  return reference_taps(correction, [&](int dy, int dx) {
    const auto row = static_cast<std::size_t>(std::clamp<std::int64_t>(y + dy, 0, std::int64_t{size.rows} - 1)),
               column = static_cast<std::size_t>(std::clamp<std::int64_t>(x + dx, 0, std::int64_t{size.columns} - 1));
    return static_cast<std::int16_t>(reference[row * size.columns + column]);
  });
}

// Reads the magnitudes of a plane, step by step.
class Residuals {
 public:
  Residuals(const Plane& plane, Size size, const Coded& coded, const std::uint16_t* reference)
      : reference_(reference),
        plane_(plane),
        size_(size),
        coded_(coded),
        steps_(size, plane.lanes()),
        tables_(make_tables(plane)),
        magnitudes_(size.pixels()) {
    for (unsigned lane = 0; lane < plane.lanes(); ++lane)
      states_.push_back(load_le<std::uint32_t>(coded.states.data() + 4 * lane));
  }

  // All residuals, row by row.
  Result<std::vector<std::int16_t>> read() {
    for (std::uint64_t step = 0; step < steps_.count; ++step)
      if (!is_zero(step / kGroup)) DICUBE_TRY(read_step(step));
    if (next_word_ != coded_.words.size() / 2)
      return fail(ErrorClass::kCodec, "lane stream: {} words used of {}", next_word_, coded_.words.size() / 2);
    for (std::uint32_t state : states_)
      if (state != kLeastState)
        return fail(ErrorClass::kCodec, "lane stream: a state ends at {:#x}, {:#x} expected", state, kLeastState);
    std::vector<std::int16_t> residuals(size_.pixels());
    std::size_t coded_before = 0;
    for (std::uint64_t step = 0; step < steps_.count; ++step)
      for (unsigned lane = 0; lane < plane_.lanes(); ++lane)
        if (const auto pixel = steps_.pixel(step, lane)) {
          const std::size_t at = index(*pixel);
          residuals[at] = residual_of(
              static_cast<std::uint16_t>(unsigned{magnitudes_[at]} << plane_.low_bits | low_bits(coded_before++)));
        }
    return residuals;
  }

 private:
  bool is_zero(std::uint64_t group) const {
    return plane_.zero_flags && (coded_.zero_flags[group / 8] >> (group % 8) & std::byte{1}) != std::byte{0};
  }

  // Of a pixel; 0 outside the plane.
  unsigned activity(std::int64_t y, std::int64_t x) const {
    if (y < 0 || x < 0 || x >= size_.columns) return 0;
    return activity_of(magnitudes_[static_cast<std::size_t>(y) * size_.columns + static_cast<std::size_t>(x)],
                       plane_.activity_shift);
  }
  static unsigned mean(unsigned a, unsigned b) { return (a + b + 1) / 2; }

  unsigned context(std::int64_t y, std::int64_t x) const {
    const unsigned next = mean(activity(y, x - 1), activity(y - 1, x)),
                   corners = mean(activity(y - 1, x - 1), activity(y - 1, x + 1)),
                   far = mean(activity(y, x - 2), activity(y - 2, x));
    unsigned around = mean(next, mean(corners, far));
    if (plane_.correction && y > 0) {
      const ReferenceTaps taps = taps_at(*plane_.correction, reference_, size_, y, x);
      around = mean(
          around, mean(around, activity_of(static_cast<std::uint16_t>(taps.unrest), plane_.correction->unrest_shift)));
    }
    return static_cast<unsigned>(std::upper_bound(plane_.thresholds.begin(), plane_.thresholds.end(), around) -
                                 plane_.thresholds.begin());
  }

  Result<std::uint16_t> next_word() {
    if (next_word_ == coded_.words.size() / 2)
      return fail(ErrorClass::kCodec, "lane stream: its {} words end too early", next_word_);
    return load_le<std::uint16_t>(coded_.words.data() + 2 * next_word_++);
  }

  std::size_t index(Steps::Pixel pixel) const { return std::size_t{pixel.y} * size_.columns + pixel.x; }

  // The pixels of a step, each with its lane's state.
  Status read_step(std::uint64_t step) {
    std::array<std::uint16_t*, kMostLanes> magnitudes = {};  // none where a lane has no pixel
    std::array<bool, kMostLanes> escaped = {};
    for (unsigned lane = 0; lane < plane_.lanes(); ++lane) {
      const auto pixel = steps_.pixel(step, lane);
      if (!pixel) continue;
      magnitudes[lane] = &magnitudes_[index(*pixel)];
      std::uint32_t& state = states_[lane];
      const unsigned slot = state & 255, first = kTokens * context(pixel->y, pixel->x);
      unsigned at = first + kEscape;
      while (tables_.start[at] > slot) --at;
      state = tables_.frequency[at] * (state >> 8) + slot - tables_.start[at];
      *magnitudes[lane] = static_cast<std::uint16_t>(tables_.base[at] + (state & ((1u << tables_.raw_bits[at]) - 1)));
      state >>= tables_.raw_bits[at];
      escaped[lane] = at == first + kEscape;
    }
    for (unsigned first = 0; first < 4; ++first)
      for (unsigned lane = first; lane < plane_.lanes(); lane += 4) {
        if (magnitudes[lane] == nullptr || states_[lane] >= kLeastState) continue;
        DICUBE_ASSIGN(auto word, next_word());
        states_[lane] = states_[lane] << 16 | word;
      }
    for (unsigned lane = 0; lane < plane_.lanes(); ++lane) {
      if (!escaped[lane]) continue;
      DICUBE_ASSIGN(*magnitudes[lane], next_word());
    }
    return {};
  }

  // Of the pixel that comes behind so many others.
  unsigned low_bits(std::size_t others) const {
    unsigned bits = 0;
    for (unsigned i = 0; i < plane_.low_bits; ++i) {
      const std::size_t bit = others * plane_.low_bits + i;
      bits |= std::to_integer<unsigned>(coded_.low_bits[bit / 8] >> (bit % 8) & std::byte{1}) << i;
    }
    return bits;
  }

  const std::uint16_t* reference_;
  const Plane& plane_;
  Size size_;
  const Coded& coded_;
  Steps steps_;
  Tables tables_;
  std::vector<std::uint16_t> magnitudes_;
  std::vector<std::uint32_t> states_;
  std::size_t next_word_ = 0;
};

std::int16_t wrapped(std::int32_t value) { return static_cast<std::int16_t>(value); }
std::int16_t saturated(std::int32_t value) {
  return static_cast<std::int16_t>(std::clamp<std::int32_t>(value, -32768, 32767));
}
// Values beyond the plane's edges: to the left and right, and above the first row.
class Raised {
 public:
  Raised(std::span<const std::int16_t> values, Size size, int raise) : values_(values), size_(size), raise_(raise) {}
  std::int16_t at(std::int64_t y, std::int64_t x) const {
    if (x < 0 && y > 0) return at(y - 1, x + 1);
    if (x < 0) return 0;
    y = std::max<std::int64_t>(y, 0);
    x = std::min<std::int64_t>(x, std::int64_t{size_.columns} - 1);
    return raised(values_[static_cast<std::size_t>(y) * size_.columns + static_cast<std::size_t>(x)], raise_);
  }
  Surroundings around(std::int64_t y, std::int64_t x) const {
    return surroundings([&](int dy, int dx) { return at(y + dy, x + dx); });
  }

 private:
  std::span<const std::int16_t> values_;
  Size size_;
  int raise_;
};

}  // namespace

unsigned class_of(const Surroundings& at, const Plane& plane) {
  const auto size = [&](unsigned tap) { return static_cast<unsigned>(std::abs(std::int32_t{at.differences[tap]})); };
  return plane.class_of((size(2) + size(3) + 1) / 2, (size(0) + size(4) + 1) / 2);
}

std::int16_t predict(const Plane& plane, const Surroundings& at) {
  const auto& coefficients = plane.coefficients[class_of(at, plane)];
  std::int16_t correction = 0;
  for (unsigned tap = 0; tap < kTaps; ++tap) {
    const std::int32_t product = at.differences[tap] * (coefficients[tap] * 256);
    correction = wrapped(correction + ((product + (1 << 14)) >> 15));
  }
  const int raise = plane.raise();
  const std::int16_t rounded = raise > 0 ? saturated(at.north + (1 << (raise - 1))) : at.north;
  const std::int16_t expected = saturated(saturated(rounded + correction) + correction);
  return static_cast<std::int16_t>(
      std::clamp(raise < 0 ? saturated(expected * 2) : expected >> raise, plane.coded_low(), plane.coded_high()));
}

Status decode_reference(const Plane& plane, Size size, const Coded& coded, std::uint16_t* out,
                        const std::uint16_t* reference) {
  DICUBE_ASSIGN(const auto residuals, Residuals(plane, size, coded, reference).read());
  std::vector<std::int16_t> values(size.pixels());
  const Raised above(values, size, plane.raise());
  for (std::size_t y = 0, i = 0; y < size.rows; ++y)
    for (std::size_t x = 0; x < size.columns; ++x, ++i) {
      std::int32_t expected = 0;
      if (y > 0)
        expected = predict(plane, above.around(static_cast<std::int64_t>(y), static_cast<std::int64_t>(x)));
      else if (x > 0)
        expected = values[i - 1];
      if (y > 0 && plane.correction)
        expected += correct(*plane.correction, taps_at(*plane.correction, reference, size, static_cast<std::int64_t>(y),
                                                       static_cast<std::int64_t>(x)));
      values[i] = wrapped(expected + residuals[i]);
      unsigned value = static_cast<std::uint16_t>(values[i] + plane.centre());
      const auto above_low = static_cast<std::uint16_t>(value - static_cast<unsigned>(plane.low));
      for (const Gap& gap : plane.gaps) value += above_low >= gap.start ? gap.length : 0U;
      out[i] = static_cast<std::uint16_t>(value);
    }
  return {};
}

}  // namespace dicube::codec::lane
