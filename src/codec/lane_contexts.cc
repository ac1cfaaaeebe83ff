#include <algorithm>
#include <bit>
#include <numeric>

#include "codec/lane_fit.h"

namespace dicube::codec::lane {
namespace {

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
  std::fill(of.begin() + kCounted, of.end(), of[kCounted - 1]);
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
