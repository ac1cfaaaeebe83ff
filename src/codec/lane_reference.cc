#include "codec/lane_reference.h"

#include <algorithm>
#include <cstdlib>

namespace dicube::codec::lane {
namespace {

// Reads the magnitudes of a plane, group by group.
class Residuals {
 public:
  Residuals(const Plane& plane, Size size, const Coded& coded)
      : plane_(plane), size_(size), coded_(coded), tables_(make_tables(plane)), magnitudes_(size.pixels()) {
    for (unsigned lane = 0; lane < plane.lanes(); ++lane) states_.push_back(load_le<std::uint32_t>(coded.states.data() + 4 * lane));
  }

  // All residuals, row by row.
  Result<std::vector<std::int16_t>> read() {
    std::uint64_t group = 0;
    for (std::uint32_t y = 0; y < size_.rows; ++y)
      for (std::uint64_t x = 0; x < size_.columns; x += plane_.lanes(), ++group) {
        if (is_zero(group)) continue;
        DICUBE_TRY(read_group(y, static_cast<std::uint32_t>(x)));
      }
    if (next_word_ != coded_.words.size() / 2)
      return fail(ErrorClass::kCodec, "lane stream: {} words used of {}", next_word_, coded_.words.size() / 2);
    for (std::uint32_t state : states_)
      if (state != kLeastState) return fail(ErrorClass::kCodec, "lane stream: a state ends at {:#x}, {:#x} expected", state, kLeastState);
    std::vector<std::int16_t> residuals(size_.pixels());
    for (std::size_t i = 0; i < residuals.size(); ++i)
      residuals[i] = residual_of(static_cast<std::uint16_t>(unsigned{magnitudes_[i]} << plane_.low_bits | low_bits(i)));
    return residuals;
  }

 private:
  bool is_zero(std::uint64_t group) const {
    return plane_.zero_flags && (coded_.zero_flags[group / 8] >> (group % 8) & std::byte{1}) != std::byte{0};
  }

  // Of a pixel; 0 outside the plane.
  unsigned context_magnitude(std::int64_t y, std::int64_t x) const {
    if (y < 0 || x < 0 || x >= size_.columns) return 0;
    return std::min(magnitudes_[static_cast<std::size_t>(y) * size_.columns + static_cast<std::size_t>(x)], kMostMagnitude);
  }

  unsigned context(std::int64_t y, std::int64_t x) const {
    const unsigned energy = 4 * context_magnitude(y - 1, x) + 3 * context_magnitude(y - 1, x - 1) + 3 * context_magnitude(y - 1, x + 1) +
                            context_magnitude(y - 1, x - 2) + context_magnitude(y - 1, x + 2) + 2 * context_magnitude(y - 2, x) +
                            context_magnitude(y - 2, x - 1) + context_magnitude(y - 2, x + 1);
    return static_cast<unsigned>(std::upper_bound(plane_.thresholds.begin(), plane_.thresholds.end(), energy) - plane_.thresholds.begin());
  }

  Result<std::uint16_t> next_word() {
    if (next_word_ == coded_.words.size() / 2) return fail(ErrorClass::kCodec, "lane stream: its {} words end too early", next_word_);
    return load_le<std::uint16_t>(coded_.words.data() + 2 * next_word_++);
  }

  Status read_group(std::uint32_t y, std::uint32_t x) {
    const std::uint32_t count = std::min<std::uint32_t>(plane_.lanes(), size_.columns - x);
    std::uint16_t* magnitude = &magnitudes_[std::size_t{y} * size_.columns + x];
    std::array<bool, kMostLanes> escaped = {};
    for (std::uint32_t lane = 0; lane < count; ++lane) {
      std::uint32_t& state = states_[lane];
      const unsigned slot = state & 255, first = kTokens * context(y, x + lane);
      unsigned at = first + kEscape;
      while (tables_.start[at] > slot) --at;
      state = tables_.frequency[at] * (state >> 8) + slot - tables_.start[at];
      magnitude[lane] = static_cast<std::uint16_t>(tables_.base[at] + (state & ((1u << tables_.raw_bits[at]) - 1)));
      state >>= tables_.raw_bits[at];
      escaped[lane] = at == first + kEscape;
    }
    for (std::uint32_t lane = 0; lane < count; ++lane) {
      if (states_[lane] >= kLeastState) continue;
      DICUBE_ASSIGN(auto word, next_word());
      states_[lane] = states_[lane] << 16 | word;
    }
    for (std::uint32_t lane = 0; lane < count; ++lane) {
      if (!escaped[lane]) continue;
      DICUBE_ASSIGN(magnitude[lane], next_word());
    }
    return {};
  }

  unsigned low_bits(std::size_t pixel) const {
    unsigned bits = 0;
    for (unsigned i = 0; i < plane_.low_bits; ++i) {
      const std::size_t bit = pixel * plane_.low_bits + i;
      bits |= std::to_integer<unsigned>(coded_.low_bits[bit / 8] >> (bit % 8) & std::byte{1}) << i;
    }
    return bits;
  }

  const Plane& plane_;
  Size size_;
  const Coded& coded_;
  Tables tables_;
  std::vector<std::uint16_t> magnitudes_;
  std::vector<std::uint32_t> states_;
  std::size_t next_word_ = 0;
};

std::int16_t wrapped(std::int32_t value) { return static_cast<std::int16_t>(value); }
std::int16_t saturated(std::int32_t value) { return static_cast<std::int16_t>(std::clamp<std::int32_t>(value, -32768, 32767)); }
std::uint16_t distance(std::int16_t a, std::int16_t b) { return static_cast<std::uint16_t>(std::abs(std::int32_t{wrapped(a - b)})); }
std::uint16_t sum(std::uint32_t value) { return static_cast<std::uint16_t>(std::min<std::uint32_t>(value, 0xFFFF)); }

// Values beyond the plane's edges: to the left and right, and above the first row.
class Raised {
 public:
  Raised(std::span<const std::int16_t> values, Size size, int raise) : values_(values), size_(size), raise_(raise) {}
  std::int16_t at(std::int64_t y, std::int64_t x) const {
    if (x < 0 && y > 0) return at(y - 1, x + 1);
    y = std::max<std::int64_t>(y, 0);
    x = std::clamp<std::int64_t>(x, 0, std::int64_t{size_.columns} - 1);
    return raised(values_[static_cast<std::size_t>(y) * size_.columns + static_cast<std::size_t>(x)], raise_);
  }
  Neighbours around(std::int64_t y, std::int64_t x) const {
    return {{at(y, x - 1), at(y - 1, x - 1), at(y - 1, x + 1), at(y, x - 2), at(y - 2, x), at(y - 2, x + 1), at(y - 1, x - 2), at(y - 2, x - 1)},
            at(y - 1, x)};
  }

 private:
  std::span<const std::int16_t> values_;
  Size size_;
  int raise_;
};

}  // namespace

unsigned class_of(const Neighbours& at, std::uint16_t texture) {
  const auto [w, nw, ne, ww, nn, nne, nww, nnw] = at.taps;
  const std::int16_t n = at.north;
  const std::uint16_t across = sum(std::uint32_t{distance(w, ww)} + distance(nw, n) + distance(ne, n));
  const std::uint16_t down = sum(std::uint32_t{distance(w, nw)} + distance(nn, n) + distance(ne, nne));
  const unsigned edge = across > sum(2u * down) ? 1 : down > sum(2u * across) ? 2 : 0;
  return edge + (sum(std::uint32_t{across} + down) > texture ? 3 : 0);
}

std::int16_t predict(const Plane& plane, const Neighbours& at) {
  const auto& coefficients = plane.coefficients[class_of(at, plane.texture)];
  std::int16_t correction = 0;
  for (unsigned tap = 0; tap < kTaps; ++tap) {
    const std::int32_t product = wrapped(at.taps[tap] - at.north) * (coefficients[tap] * 256);
    correction = wrapped(correction + ((product + (1 << 14)) >> 15));
  }
  const int raise = plane.raise();
  const std::int16_t rounded = raise > 0 ? saturated(at.north + (1 << (raise - 1))) : at.north;
  const std::int16_t expected = saturated(saturated(rounded + correction) + correction);
  return static_cast<std::int16_t>(std::clamp(raise < 0 ? saturated(expected * 2) : expected >> raise, plane.coded_low(), plane.coded_high()));
}

Status decode_reference(const Plane& plane, Size size, const Coded& coded, std::uint16_t* out) {
  DICUBE_ASSIGN(const auto residuals, Residuals(plane, size, coded).read());
  std::vector<std::int16_t> values(size.pixels());
  const Raised above(values, size, plane.raise());
  for (std::size_t y = 0, i = 0; y < size.rows; ++y)
    for (std::size_t x = 0; x < size.columns; ++x, ++i) {
      std::int32_t expected = 0;
      if (y > 0) expected = predict(plane, above.around(static_cast<std::int64_t>(y), static_cast<std::int64_t>(x)));
      else if (x > 0) expected = values[i - 1];
      values[i] = wrapped(expected + residuals[i]);
      out[i] = static_cast<std::uint16_t>(values[i] + plane.centre());
    }
  return {};
}

}  // namespace dicube::codec::lane
