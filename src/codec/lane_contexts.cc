#include <algorithm>
#include <bit>
#include <numeric>

#include "codec/lane_fit.h"

namespace dicube::codec::lane {
namespace {

constexpr auto kLogs = [] {  // of 1 to 2, 16 bits behind the point
  std::array<std::uint16_t, 256> logs{};
  for (unsigned i = 0; i < 256; ++i) {
    std::uint64_t x = std::uint64_t{256 + i} << 22, log = 0;  // 30 bits behind the point
    for (unsigned bit = 0; bit < 16; ++bit) {
      x = (x * x) >> 30;
      log = log << 1 | x >> 31;
      x >>= x >> 31;
    }
    logs[i] = static_cast<std::uint16_t>(log);
  }
  return logs;
}();

// log2 with 16 bits behind the point.
std::uint32_t log2_of(std::uint32_t value) {
  if (value == 0) return 0;
  const auto octave = static_cast<unsigned>(std::bit_width(value) - 1);
  const std::uint32_t mantissa = octave >= 8 ? value >> (octave - 8) : value << (8 - octave);
  return (octave << 16) + kLogs[mantissa - 256];
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
      tally.counts[family][token] =
          (token == kEscape ? below[classes.count] : below[first[token + 1]]) - below[first[token]];
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
    if (tally.total > 0)
      frequency[token] = static_cast<int>((std::uint64_t{counts[token]} * 256 + tally.total / 2) / tally.total);
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
  for (unsigned token = 0; token < kTokens; ++token)
    context.frequency[token] = static_cast<std::uint8_t>(frequency[token]);
  return context;
}

// Bins that share a context.
struct Span {
  unsigned first_bin;
  Tally tally;
  Best best, with_next;  // alone, and as one with the span behind it
};

// Of both as one: families differ by the size of magnitudes, so that it lies near those of the two.
Best joined(const Span& a, const Span& b) {
  const auto [low, high] = std::minmax(a.best.family, b.best.family);
  const std::uint64_t total = a.tally.total + b.tally.total;
  Best best{~std::uint64_t{0}, 0};
  for (unsigned family = low > 0 ? low - 1 : 0; family <= std::min(high + 1, kFamilies - 1); ++family) {
    TokenCounts counts;
    for (unsigned token = 0; token < kTokens; ++token)
      counts[token] = a.tally.counts[family][token] + b.tally.counts[family][token];
    const std::uint64_t bits = cost(counts, total, family);
    if (bits < best.bits) best = {bits, family};
  }
  return best;
}

// Bins, each a span of its own; those of hardly any magnitudes go with those below.
std::vector<Span> spans_of(const Counts& counts) {
  constexpr std::uint64_t kParts = 128, kLeast = 128;
  std::array<std::uint64_t, kBins> totals;
  for (unsigned bin = 0; bin < kBins; ++bin)
    totals[bin] = std::accumulate(counts[bin].begin(), counts[bin].end(), std::uint64_t{0});
  const std::uint64_t few = std::max(kLeast, std::accumulate(totals.begin(), totals.end(), std::uint64_t{0}) / kParts);
  std::vector<Span> spans;
  for (unsigned bin = 0; bin < kBins;) {
    const unsigned first = bin++;
    std::uint64_t total = totals[first];
    if (total == 0 && !spans.empty()) continue;
    auto of_span = counts[first];
    for (; bin < kBins && total <= few; ++bin) {
      total += totals[bin];
      for (unsigned i = 0; i < of_span.size(); ++i) of_span[i] += counts[bin][i];
    }
    spans.push_back({first, tally_of(of_span), {}, {}});
    spans.back().best = best_family(spans.back().tally);
  }
  return spans;
}

}  // namespace

MagnitudeClasses::MagnitudeClasses() {
  std::array<bool, kCounted> begins = {true};
  std::array<std::array<unsigned, kTokens>, kFamilies> base = {};
  for (unsigned family = 0; family < kFamilies; ++family)
    for (unsigned token = 1; token < kTokens; ++token) {
      base[family][token] = std::min(base[family][token - 1] + (1u << kRawBits[family][token - 1]),
                                     kCounted - 1);  // the last one stands for larger ones, too
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

ContextOfBin contexts_of_bins(const Plane& plane) {
  ContextOfBin of_bin{};
  for (unsigned bin = 0; bin < kBins; ++bin)
    of_bin[bin] = static_cast<std::uint8_t>(std::upper_bound(plane.thresholds.begin(), plane.thresholds.end(), bin) -
                                            plane.thresholds.begin());
  return of_bin;
}

ContextOfBin fit_contexts(const Counts& counts, Plane& plane) {
  constexpr std::uint64_t kContextBits = std::uint64_t{8 * (1 + 1 + kEscape)} << 16;  // of a context's parameters
  std::vector<Span> spans = spans_of(counts);
  std::vector<Span*> left;  // in order
  for (Span& span : spans) left.push_back(&span);
  const auto look_ahead = [&left](std::size_t i) {
    if (i + 1 < left.size()) left[i]->with_next = joined(*left[i], *left[i + 1]);
  };
  const auto more = [&left](std::size_t i) {
    return static_cast<std::int64_t>(left[i]->with_next.bits - left[i]->best.bits - left[i + 1]->best.bits);
  };
  for (std::size_t i = 0; i < left.size(); ++i) look_ahead(i);
  while (left.size() > 1) {
    std::size_t at = 0;
    for (std::size_t i = 1; i + 1 < left.size(); ++i)
      if (more(i) < more(at)) at = i;
    if (left.size() <= kMostContexts && more(at) > static_cast<std::int64_t>(kContextBits)) break;
    left[at]->tally.add(left[at + 1]->tally);
    left[at]->best = left[at]->with_next;
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    look_ahead(at);
    if (at > 0) look_ahead(at - 1);
  }
  ContextOfBin of_bin{};
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (i > 0) plane.thresholds.push_back(static_cast<std::uint8_t>(left[i]->first_bin));
    plane.contexts.push_back(context_of(left[i]->tally, left[i]->best.family));
    const unsigned end = i + 1 < left.size() ? left[i + 1]->first_bin : kBins;
    for (unsigned bin = i == 0 ? 0 : left[i]->first_bin; bin < end; ++bin) of_bin[bin] = static_cast<std::uint8_t>(i);
  }
  return of_bin;
}

}  // namespace dicube::codec::lane
