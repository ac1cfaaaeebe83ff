#include "codec/lane_fit.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "codec/lane_reference.h"

namespace dicube::codec::lane {
namespace {

__extension__ using Int128 = __int128;

constexpr std::uint64_t kSamples = 7000;
constexpr unsigned kFraction = 30;  // bits behind the point of a solution

// Normal equations: sums of weight x tap x tap, and of weight x tap x value, all relative to N.
struct Normal {
  std::array<std::array<std::int64_t, kTaps>, kTaps> a = {};
  std::array<std::int64_t, kTaps> b = {};

  void add(const Normal& other, unsigned shift) {
    for (unsigned i = 0; i < kTaps; ++i) {
      for (unsigned j = 0; j < kTaps; ++j) a[i][j] += other.a[i][j] >> shift;
      b[i] += other.b[i] >> shift;
    }
  }
};

std::uint32_t square_root(std::uint64_t value) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31; bit > 0; bit >>= 1)
    if ((root | bit) * (root | bit) <= value) root |= bit;
  return static_cast<std::uint32_t>(root);
}

// (2 + g / 2)^-1.5: a residual's worth sinks with the unrest around it. Eight steps per octave of g.
class Weights {
 public:
  Weights() {
    for (unsigned i = 0; i < table_.size(); ++i) {
      const std::uint64_t gradient = i < 8 ? i : std::uint64_t{8 + i % 8} << (i / 8 - 1);
      const std::uint64_t t = 2 + gradient / 2;
      table_[i] = static_cast<std::int64_t>((std::uint64_t{1} << 36) / (t * square_root(t << 8)));
    }
  }
  std::int64_t of(std::uint32_t gradient) const {
    if (gradient < 8) return table_[gradient];
    const auto octave = static_cast<unsigned>(std::bit_width(gradient) - 4);
    return table_[8 * (octave + 1) + ((gradient >> octave) & 7)];
  }

 private:
  std::array<std::int64_t, 8 * 20> table_;
};

// Gaussian elimination with numbers of kFraction bits behind the point. The matrix is positive definite but for rounding.
std::array<std::int8_t, kTaps> solve(Normal normal) {
  std::int64_t largest = 1;
  for (unsigned i = 0; i < kTaps; ++i) largest = std::max(largest, normal.a[i][i]);
  const int down = std::max(0, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest))) - 44);
  for (unsigned i = 0; i < kTaps; ++i) {
    for (std::int64_t& value : normal.a[i]) value >>= down;
    normal.b[i] >>= down;
    normal.a[i][i] += (normal.a[i][i] >> 10) + (largest >> down >> 16) + 1;  // taps that hardly differ stay small
  }
  for (unsigned i = 0; i < kTaps; ++i)
    for (unsigned row = i + 1; row < kTaps; ++row) {
      const Int128 factor = (Int128{normal.a[row][i]} << kFraction) / std::max<std::int64_t>(1, normal.a[i][i]);
      for (unsigned j = i; j < kTaps; ++j) normal.a[row][j] -= static_cast<std::int64_t>((factor * normal.a[i][j]) >> kFraction);
      normal.b[row] -= static_cast<std::int64_t>((factor * normal.b[i]) >> kFraction);
    }
  std::array<Int128, kTaps> solution = {};
  std::array<std::int8_t, kTaps> coefficients = {};
  for (unsigned i = kTaps; i-- > 0;) {
    Int128 rest = Int128{normal.b[i]} << kFraction;
    for (unsigned j = i + 1; j < kTaps; ++j) rest -= solution[j] * normal.a[i][j];
    const Int128 most = Int128{4} << kFraction;
    solution[i] = std::clamp<Int128>(rest / std::max<std::int64_t>(1, normal.a[i][i]), -most, most);
    const auto in_64ths = static_cast<std::int64_t>((solution[i] * 64 + (Int128{1} << (kFraction - 1))) >> kFraction);
    coefficients[i] = static_cast<std::int8_t>(std::clamp<std::int64_t>(in_64ths, -127, 127));
  }
  return coefficients;
}

struct Sample {
  Surroundings at;
  std::int16_t value;
};

std::uint32_t gradients(const Surroundings& at) {
  std::uint32_t sum = 0;
  for (std::int16_t difference : at.differences) sum += static_cast<std::uint32_t>(std::abs(std::int32_t{difference}));
  return sum;
}

// log2 with 16 bits behind the point.
std::uint32_t log2_of(std::uint32_t value) {
  static const auto table = [] {
    std::array<std::uint16_t, 256> logs{};
    for (unsigned i = 0; i < 256; ++i) {
      std::uint64_t x = std::uint64_t{256 + i} << 22, log = 0;  // [1, 2) with 30 bits behind the point
      for (unsigned bit = 0; bit < 16; ++bit) {
        x = (x * x) >> 30;
        log = log << 1 | x >> 31;
        x >>= x >> 31;
      }
      logs[i] = static_cast<std::uint16_t>(log);
    }
    return logs;
  }();
  if (value == 0) return 0;
  const auto octave = static_cast<unsigned>(std::bit_width(value) - 1);
  const std::uint32_t mantissa = octave >= 8 ? value >> (octave - 8) : value << (8 - octave);
  return (octave << 16) + table[mantissa - 256];
}

using TokenCounts = std::array<std::uint32_t, kTokens>;

// Token counts of a set of magnitudes, by family.
struct Tally {
  std::array<TokenCounts, kFamilies> counts = {};
  std::uint64_t total = 0;

  void add(const Tally& other) {
    total += other.total;
    for (unsigned family = 0; family < kFamilies; ++family)
      for (unsigned token = 0; token < kTokens; ++token) counts[family][token] += other.counts[family][token];
  }
};

Tally tally_of(const std::array<std::uint32_t, MagnitudeClasses::kMost>& counts) {
  const MagnitudeClasses& classes = magnitude_classes();
  std::array<std::uint32_t, MagnitudeClasses::kMost + 1> below = {};
  for (unsigned i = 0; i < classes.count; ++i) below[i + 1] = below[i] + counts[i];
  Tally tally;
  tally.total = below[classes.count];
  for (unsigned family = 0; family < kFamilies; ++family) {
    const auto& first = classes.first[family];
    for (unsigned token = 0; token < kTokens; ++token)
      tally.counts[family][token] = (token == kEscape ? below[classes.count] : below[first[token + 1]]) - below[first[token]];
  }
  return tally;
}

// Bits, with 16 behind the point, that the magnitudes take in this family.
std::uint64_t cost(const TokenCounts& counts, std::uint64_t total, unsigned family) {
  std::uint64_t bits = total * log2_of(static_cast<std::uint32_t>(total));
  for (unsigned token = 0; token < kTokens; ++token) {
    const std::uint64_t raw = token == kEscape ? 16 : kRawBits[family][token];
    bits += counts[token] * (raw << 16);
    bits -= std::uint64_t{counts[token]} * log2_of(counts[token]);
  }
  return bits;
}

struct Best {
  std::uint64_t bits = 0;
  unsigned family = 0;
};

Best best_family(const Tally& tally) {
  Best best{~std::uint64_t{0}, 0};
  for (unsigned family = 0; family < kFamilies; ++family) {
    const std::uint64_t bits = cost(tally.counts[family], tally.total, family);
    if (bits < best.bits) best = {bits, family};
  }
  return best;
}

// In 256ths; what occurs has at least one, and so has the escape.
Context context_of(const Tally& tally, unsigned family) {
  Context context;
  context.family = static_cast<std::uint8_t>(family);
  const TokenCounts& counts = tally.counts[family];
  std::array<int, kTokens> frequency = {};
  int left = 256;
  unsigned largest = 0;
  for (unsigned token = 0; token < kTokens; ++token) {
    if (tally.total > 0) frequency[token] = static_cast<int>((std::uint64_t{counts[token]} * 256 + tally.total / 2) / tally.total);
    if (frequency[token] == 0 && (counts[token] > 0 || token == kEscape)) frequency[token] = 1;
    if (counts[token] > counts[largest]) largest = token;
    left -= frequency[token];
  }
  while (left < 0) {  // takes from those that have most
    auto& most = *std::max_element(frequency.begin(), frequency.end());
    --most;
    ++left;
  }
  frequency[largest] += left;
  if (frequency[kEscape] > 255) {  // a context of escapes alone can't be written
    --frequency[kEscape];
    ++frequency[0];
  }
  for (unsigned token = 0; token < kTokens; ++token) context.frequency[token] = static_cast<std::uint8_t>(frequency[token]);
  return context;
}

struct Span {
  unsigned first_bin;
  Tally tally;
  Best best;
};

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
    row[-1] = y <= 0 ? row[0] : above[0];
    row[-2] = y <= 0 ? row[0] : above[-1];
  }
}

std::int64_t fit_weight(std::uint32_t gradient) {
  static const Weights weights;
  return weights.of(gradient);
}

void fit_prediction(const RaisedPlane& raised, Size size, Plane& plane) {
  if (size.rows < 2) return;
  const std::uint64_t pixels = (size.rows - std::uint64_t{1}) * size.columns;
  const std::uint64_t step = std::max<std::uint64_t>(1, pixels / kSamples) | 1;
  std::vector<Sample> samples;
  std::vector<std::int16_t> unrest;
  for (std::uint64_t pixel = 0; pixel < pixels; pixel += step) {
    const auto y = static_cast<std::int64_t>(1 + pixel / size.columns);
    const auto x = static_cast<std::size_t>(pixel % size.columns);
    const std::int16_t *here = raised.row(y) + x, *above = raised.row(y - 1) + x, *top = raised.row(std::max<std::int64_t>(y - 2, -1)) + x;
    samples.push_back({surroundings([&](int dy, int dx) { return (dy == 0 ? here : dy == -1 ? above : top)[dx]; }), *here});
    const std::uint32_t gradient = gradients(samples.back().at);
    if (gradient > 0) unrest.push_back(static_cast<std::int16_t>(std::min<std::uint32_t>(gradient, 32767)));
  }
  if (!unrest.empty()) {
    const auto middle = unrest.begin() + static_cast<std::ptrdiff_t>(unrest.size() / 2);
    std::nth_element(unrest.begin(), middle, unrest.end());
    plane.texture = *middle;
  }
  const int fraction = std::max(0, plane.raise());
  std::array<Normal, kClasses> normals;
  Normal all;
  for (const Sample& sample : samples) {
    const std::uint32_t gradient = gradients(sample.at) >> fraction;
    if (gradient == 0) continue;
    Normal& normal = normals[class_of(sample.at, plane.texture)];
    const std::int64_t weight = fit_weight(gradient);
    std::array<std::int32_t, kTaps> taps;
    for (unsigned i = 0; i < kTaps; ++i) taps[i] = sample.at.differences[i] >> fraction;
    const std::int32_t value = (sample.value - sample.at.north) >> fraction;
    for (unsigned i = 0; i < kTaps; ++i) {
      const std::int64_t weighted = weight * taps[i];
      for (unsigned j = i; j < kTaps; ++j) normal.a[i][j] += (weighted * taps[j]) >> 4;
      normal.b[i] += (weighted * value) >> 4;
    }
  }
  for (Normal& normal : normals) {
    for (unsigned i = 0; i < kTaps; ++i)
      for (unsigned j = 0; j < i; ++j) normal.a[i][j] = normal.a[j][i];
    all.add(normal, 0);
  }
  for (unsigned c = 0; c < kClasses; ++c) {
    normals[c].add(all, 6);  // what few samples don't say, all of them do
    plane.coefficients[c] = solve(normals[c]);
  }
}

MagnitudeClasses::MagnitudeClasses() {
  std::array<bool, kCounted> begins = {true};
  std::array<std::array<unsigned, kTokens>, kFamilies> base = {};
  for (unsigned family = 0; family < kFamilies; ++family)
    for (unsigned token = 1; token < kTokens; ++token) {
      base[family][token] = std::min(base[family][token - 1] + (1u << kRawBits[family][token - 1]), kCounted - 1);  // the last one stands for larger ones, too
      begins[base[family][token]] = true;
    }
  for (unsigned magnitude = 0; magnitude < kCounted; ++magnitude) {
    count += begins[magnitude] ? 1 : 0;
    of[magnitude] = static_cast<std::uint8_t>(count - 1);
  }
  for (unsigned family = 0; family < kFamilies; ++family)
    for (unsigned token = 0; token < kTokens; ++token) first[family][token] = of[base[family][token]];
}

const MagnitudeClasses& magnitude_classes() {
  static const MagnitudeClasses classes;
  return classes;
}

ContextOfBin fit_contexts(const Counts& counts, Plane& plane) {
  constexpr std::uint64_t kFewest = 128;  // parts of all magnitudes
  constexpr std::uint64_t kContextBits = std::uint64_t{8 * (1 + 1 + kEscape)} << 16;  // of a context's parameters
  std::vector<Span> spans;
  std::uint64_t total = 0;
  for (const auto& of_bin : counts) total = std::accumulate(of_bin.begin(), of_bin.end(), total);
  for (unsigned bin = 0; bin < kBins; ++bin) {  // bins of hardly any magnitudes go with those below
    const Tally tally = tally_of(counts[bin]);
    if (spans.empty() || spans.back().tally.total * kFewest > total) {
      if (tally.total > 0 || spans.empty()) spans.push_back({bin, tally, {}});
    } else {
      spans.back().tally.add(tally);
    }
  }
  for (Span& span : spans) span.best = best_family(span.tally);
  const auto join = [&spans](std::size_t i) {
    Span pair = spans[i];
    pair.tally.add(spans[i + 1].tally);
    pair.best = best_family(pair.tally);
    return pair;
  };
  const auto more = [&spans](const Span& pair, std::size_t i) {
    return static_cast<std::int64_t>(pair.best.bits - spans[i].best.bits - spans[i + 1].best.bits);
  };
  std::vector<Span> pairs;  // each span with the next one
  for (std::size_t i = 0; i + 1 < spans.size(); ++i) pairs.push_back(join(i));
  while (!pairs.empty()) {
    std::size_t at = 0;
    for (std::size_t i = 1; i < pairs.size(); ++i)
      if (more(pairs[i], i) < more(pairs[at], at)) at = i;
    if (spans.size() <= kMostContexts && more(pairs[at], at) > static_cast<std::int64_t>(kContextBits)) break;
    spans[at] = pairs[at];
    spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(at));
    if (at > 0) pairs[at - 1] = join(at - 1);
    if (at < pairs.size()) pairs[at] = join(at);
  }
  ContextOfBin of_bin{};
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (i > 0) plane.thresholds.push_back(static_cast<std::uint8_t>(spans[i].first_bin));
    plane.contexts.push_back(context_of(spans[i].tally, spans[i].best.family));
    const unsigned end = i + 1 < spans.size() ? spans[i + 1].first_bin : kBins;
    for (unsigned bin = i == 0 ? 0 : spans[i].first_bin; bin < end; ++bin) of_bin[bin] = static_cast<std::uint8_t>(i);
  }
  return of_bin;
}

}  // namespace dicube::codec::lane
