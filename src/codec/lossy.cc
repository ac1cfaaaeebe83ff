// Lossy coding within a bound: codecs know quantiser steps, callers the largest error or the ratio that they want. A
// step is found by doubling or halving until the wish turns, then by halving the interval.
#include "codec/lossy.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace dicube::codec {
namespace {

constexpr int kRefinements = 2;

template <class T>
std::uint64_t difference(ByteSpan a, ByteSpan b) {
  using Unsigned = std::make_unsigned_t<T>;
  std::uint64_t most = 0;
  for (std::size_t at = 0; at + sizeof(T) <= a.size(); at += sizeof(T)) {
    const auto x = static_cast<T>(load_le<Unsigned>(a.data() + at)),
               y = static_cast<T>(load_le<Unsigned>(b.data() + at));
    const auto high = static_cast<std::uint64_t>(std::max(x, y)), low = static_cast<std::uint64_t>(std::min(x, y));
    most = std::max(most, high - low);  // modulo 2^64: right for signed values, too
  }
  return most;
}

}  // namespace

std::uint64_t largest_difference(const Shape& shape, ByteSpan a, ByteSpan b) {
  switch (shape.bits) {
    case 8: return shape.is_signed ? difference<std::int8_t>(a, b) : difference<std::uint8_t>(a, b);
    case 16: return shape.is_signed ? difference<std::int16_t>(a, b) : difference<std::uint16_t>(a, b);
    case 32: return shape.is_signed ? difference<std::int32_t>(a, b) : difference<std::uint32_t>(a, b);
    default: return shape.is_signed ? difference<std::int64_t>(a, b) : difference<std::uint64_t>(a, b);
  }
}

Result<Trial> find_coarseness(const Coarseness& range, const std::function<Result<Trial>(double)>& attempt,
                              const std::function<bool(const Trial&)>& is_good, bool coarser_is_better) {
  double good = 0, bad = 0;  // 0: none yet
  Trial best;
  for (double at = range.start;;) {
    DICUBE_ASSIGN(auto trial, attempt(at));
    const bool fits = is_good(trial);
    if (fits) {
      good = at;
      best = std::move(trial);
    } else {
      bad = at;
    }
    if (good != 0 && bad != 0) break;
    const double next = fits == coarser_is_better ? std::min(range.coarsest, 2 * at) : std::max(range.finest, at / 2);
    if (next == at) break;  // an end of the range
    at = next;
  }
  if (good == 0)
    return fail(ErrorClass::kUnsupported, "{}",
                coarser_is_better ? "not even the finest quantisation of this codec keeps within this error"
                                  : "not even the coarsest quantisation of this codec makes its frames that small");
  for (int i = 0; i < kRefinements && bad != 0; ++i) {
    const double at = range.whole ? std::round((good + bad) / 2) : std::sqrt(good * bad);
    if (at == good || at == bad) break;
    DICUBE_ASSIGN(auto trial, attempt(at));
    if (is_good(trial)) {
      good = at;
      best = std::move(trial);
    } else {
      bad = at;
    }
  }
  return best;
}

}  // namespace dicube::codec
