// From magnitudes to states and words, in vectors.
#include <algorithm>
#include <bit>

#include "codec/lane_simd.h"
#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_writer_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Whether lanes, whose numbers are given, have a pixel.
template <class D>
HWY_INLINE hn::Mask<D> present_among(D d, hn::Vec<D> lane, const Steps::Present& present) {
  using T = hn::TFromD<D>;
  const auto among = [&](Steps::Lanes some) HWY_ATTR {
    return hn::Lt(hn::Sub(lane, hn::Set(d, static_cast<T>(some.first))), hn::Set(d, static_cast<T>(some.count)));
  };
  return hn::Or(among(present.lanes), among(present.others));
}

// What coding needs of symbols, a byte each.
struct Symbols {
  VU8 frequency, start, bits, raw;  // `raw`: the bits
  hn::Mask<DU8> escaped;
};

// Finds them by contexts and magnitudes.
class SymbolFinder {
 public:
  SymbolFinder(const Plane& plane, const ContextOfBin& context_of_bin) {
    const Tables tables = make_tables(plane);
    for (unsigned context = 0; context < plane.contexts.size(); ++context)
      for (unsigned token = 0; token < kTokens; ++token) {
        // What was not met when tokens were counted is escaped.
        const std::size_t to = context + 16 * token,
                          from =
                              kTokens * context + (tables.frequency[kTokens * context + token] > 0 ? token : kEscape);
        first_[to] = magnitude_classes().first[plane.contexts[context].family][token];
        frequency_[to] = tables.frequency[from];
        start_[to] = tables.start[from];
        raw_bits_[to] = tables.raw_bits[from];
        base_[to] = static_cast<std::uint8_t>(tables.base[from]);
      }
    std::copy(context_of_bin.begin(), context_of_bin.end(), context_);
  }

  // `bins`, `classes`: of magnitudes without low bits; `lows`: their low bytes.
  HWY_INLINE Symbols symbols(const std::uint8_t* bins, const std::uint8_t* classes, const std::uint8_t* lows) const {
    const DU8 d;
    const Found found = find(of_64(context_, hn::Load(d, bins)), hn::Load(d, classes));
    const VU8 mask = hn::TableLookupBytes(hn::LoadDup128(d, kLowMasks), found.bits);
    return {found.frequency, found.start, found.bits, hn::And(hn::Sub(hn::Load(d, lows), found.base), mask),
            found.escaped};
  }

 private:
  struct Found {
    VU8 frequency, start, bits, base;
    hn::Mask<DU8> escaped;
  };
#if HWY_TARGET <= HWY_AVX3_DL
  HWY_INLINE Found find(VU8 context, VU8 magnitude_class) const {
    const DU8 d;
    VU8 at = context;
    for (unsigned token = 1; token < kTokens; ++token)
      at = hn::MaskedAddOr(
          at, hn::Ge(magnitude_class, hn::TableLookupBytes(hn::LoadDup128(d, first_ + 16 * token), context)), at,
          hn::Set(d, 16));
    const VU8 start = of_128(start_, at);
    return {of_128(frequency_, at), start, of_128(raw_bits_, at), of_128(base_, at),
            hn::Eq(start, hn::TableLookupBytes(hn::LoadDup128(d, start_ + 16 * kEscape), context))};
  }
#else
  HWY_INLINE Found find(VU8 context, VU8 magnitude_class) const {
    const DU8 d;
    const hn::RebindToSigned<DU8> signed_bytes;  // classes are below 128
    HWY_FENCE;                                   // the tables stay in memory: there are more of them than registers
    const auto of = [&](const std::uint8_t* table, unsigned token)
                        HWY_ATTR { return hn::TableLookupBytes(hn::LoadDup128(d, table + 16 * token), context); };
    Found found{of(frequency_, 0), of(start_, 0), of(raw_bits_, 0), of(base_, 0), hn::MaskFalse(d)};
    for (unsigned token = 1; token < kTokens; ++token) {
      const auto before = hn::RebindMask(
          d, hn::Gt(hn::BitCast(signed_bytes, of(first_, token)), hn::BitCast(signed_bytes, magnitude_class)));
      found.frequency = hn::IfThenElse(before, found.frequency, of(frequency_, token));
      found.start = hn::IfThenElse(before, found.start, of(start_, token));
      found.bits = hn::IfThenElse(before, found.bits, of(raw_bits_, token));
      found.base = hn::IfThenElse(before, found.base, of(base_, token));
    }
    found.escaped = hn::Eq(found.start, of(start_, kEscape));
    return found;
  }
#endif

  HWY_ALIGN std::uint8_t context_[kBins] = {};
  HWY_ALIGN std::uint8_t first_[128] = {}, frequency_[128] = {}, start_[128] = {}, raw_bits_[128] = {}, base_[128] = {};
};

// value / divisor for value < 2^24 divisor. What floating point estimates from below, integers then make exact.
HWY_INLINE VU32 divided(VU32 value, VU32 divisor) {
  const DU32 d;
  const hn::RebindToFloat<DU32> df;
  const hn::RebindToSigned<DU32> di;
  const auto reciprocal = hn::Div(hn::Set(df, 1.0F), hn::ConvertTo(df, hn::BitCast(di, divisor)));
  const auto below = hn::Mul(reciprocal, hn::Set(df, 2.0F - 2.0F / (1 << 21)));
  const auto half = hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<1>(value)));  // signs are cheaper to convert
  const VU32 least = hn::BitCast(d, hn::ConvertInRangeTo(di, hn::Mul(half, below)));
  const VU32 rest = hn::Sub(value, hn::Mul(least, divisor));  // less than 16 times the divisor
  const auto more = hn::Mul(hn::Add(hn::ConvertTo(df, hn::BitCast(di, rest)), hn::Set(df, 0.5F)), reciprocal);
  return hn::Add(least, hn::BitCast(d, hn::ConvertInRangeTo(di, more)));
}

// Puts symbols into the states at `states`; kAll: of all lanes, otherwise of those that are there. The words that
// states were too full for go to `words`. Returns their end.
template <bool kAll>
HWY_INLINE std::uint16_t* put(VU32 frequency, VU32 start, VU32 bits, VU32 raw, [[maybe_unused]] hn::Mask<DU32> is_there,
                              std::uint32_t* states, std::uint16_t* words) {
  const DU32 d;
  const VU32 state = hn::Load(d, states);
  auto full = hn::Ge(state, hn::Shl(frequency, hn::Sub(hn::Set(d, 24), bits)));
  if constexpr (!kAll) full = hn::And(full, is_there);
  std::uint16_t* const end = put_words(state, full, words);
  const VU32 room = hn::IfThenElse(full, hn::ShiftRight<16>(state), state);
  const VU32 value = hn::Or(hn::Shl(room, bits), raw);
  VU32 after = hn::Add(hn::Add(value, start), hn::Mul(divided(value, frequency), hn::Sub(hn::Set(d, 256), frequency)));
  if constexpr (!kAll) after = hn::IfThenElse(is_there, after, state);
  hn::Store(after, d, states);
  return end;
}

constexpr std::size_t kBytes = HWY_MAX_BYTES, kDwords = kBytes / 4;

// Codes the symbols of kMostLanes lanes, step by step.
class ManyLanes {
 public:
  static constexpr unsigned kCount = kMostLanes;
  ManyLanes(const SymbolFinder& finder, const Tiles& tiles, std::uint16_t* end)
      : finder_(finder), tiles_(tiles), next_(end) {
    std::fill(states_, states_ + kMostLanes, kLeastState);
  }

  void begin_group() {}
  // Step `step` of the group.
  template <bool kAll>
  HWY_INLINE void write(unsigned step, const Steps::Present& present) {
    const DU8 d;
    Symbols found[kParts];
    VU8 is_there[kParts];
    bool any_escape = false;
    for (std::size_t p = 0; p < kParts; ++p) {
      const std::size_t at = step * kMostLanes + p * kBytes;
      found[p] = finder_.symbols(tiles_.bins + at, tiles_.classes + at, tiles_.lows + at);
      if constexpr (!kAll) {
        const auto mask = present_among(d, hn::Iota(d, p * kBytes), present);
        is_there[p] = hn::VecFromMask(d, mask);
        found[p].escaped = hn::And(found[p].escaped, mask);
      }
      any_escape |= !hn::AllFalse(d, found[p].escaped);
    }
    std::uint16_t words[2 * kMostLanes + kDwords];
    std::uint16_t* end = words;
    for (std::size_t p = 0; p < kParts; ++p) end = put_lanes<0, kAll>(found[p], is_there[p], p, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put_lanes<1, kAll>(found[p], is_there[p], p, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put_lanes<2, kAll>(found[p], is_there[p], p, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put_lanes<3, kAll>(found[p], is_there[p], p, end);
    if (HWY_UNLIKELY(any_escape)) {
      std::uint8_t bits[kMostLanes / 8 + 8] = {};
      for (std::size_t p = 0; p < kParts; ++p) hn::StoreMaskBits(d, found[p].escaped, bits + p * kBytes / 8);
      for (auto left = load_le<std::uint64_t>(reinterpret_cast<const std::byte*>(bits)); left != 0; left &= left - 1)
        *end++ = tiles_.magnitude(static_cast<unsigned>(std::countr_zero(left)), step);
    }
    next_ -= end - words;
    std::copy(words, end, next_);
  }

  // The word written last; the lanes' states go to `states`.
  std::uint16_t* end(std::uint32_t* states) const {
    for (unsigned lane = 0; lane < kMostLanes; ++lane) states[lane] = states_[place(lane)];
    return next_;
  }

 private:
  static constexpr std::size_t kParts = kMostLanes / kBytes;
  static_assert(kMostLanes % kBytes == 0);

  // Lanes 4 i + kLane of a part.
  template <unsigned kLane, bool kAll>
  HWY_INLINE std::uint16_t* put_lanes(const Symbols& of, VU8 is_there, std::size_t part, std::uint16_t* words) {
    const DU32 d;
    auto mask = hn::MaskFalse(d);
    if constexpr (!kAll) mask = hn::Ne(byte_of<kLane>(is_there), hn::Zero(d));
    return put<kAll>(byte_of<kLane>(of.frequency), byte_of<kLane>(of.start), byte_of<kLane>(of.bits),
                     byte_of<kLane>(of.raw), mask, states_ + kLane * kMostLanes / 4 + part * kDwords, words);
  }

  const SymbolFinder& finder_;
  const Tiles& tiles_;
  std::uint16_t* next_;
  HWY_ALIGN std::uint32_t states_[kMostLanes];
};

// The same of kFewLanes lanes, which have a dword each: the symbols of several steps are found at once.
class FewLanes {
 public:
  static constexpr unsigned kCount = kFewLanes;
  FewLanes(const SymbolFinder& finder, const Tiles& tiles, std::uint16_t* end)
      : finder_(finder), tiles_(tiles), next_(end) {
    std::fill(states_, states_ + kFewLanes, kLeastState);
    for (std::size_t i = 0; i < kFewLanes; ++i) lanes_[i] = static_cast<std::uint32_t>(few_place(i));
  }

  void begin_group() {
    const DU8 d;
    for (std::size_t at = 0; at < kSymbols; at += kBytes) {
      const Symbols found = finder_.symbols(tiles_.bins + at, tiles_.classes + at, tiles_.lows + at);
      hn::Store(found.frequency, d, frequency_ + at);
      hn::Store(found.start, d, start_ + at);
      hn::Store(found.bits, d, bits_ + at);
      hn::Store(found.raw, d, raw_ + at);
      hn::StoreMaskBits(d, found.escaped, escaped_ + at / 8);
    }
  }
  template <bool kAll>
  HWY_INLINE void write(unsigned step, const Steps::Present& present) {
    const DU32 d;
    const hn::Rebind<std::uint8_t, DU32> bytes;
    std::uint16_t words[2 * kFewLanes + kDwords];
    std::uint16_t* end = words;
    for (std::size_t i = 0; i < kFewLanes; i += kDwords) {
      const auto symbols = [&](const std::uint8_t* of)
                               HWY_ATTR { return hn::PromoteTo(d, hn::Load(bytes, of + step * kFewLanes + i)); };
      auto is_there = hn::MaskFalse(d);
      if constexpr (!kAll) is_there = present_among(d, hn::Load(d, lanes_ + i), present);
      end = put<kAll>(symbols(frequency_), symbols(start_), symbols(bits_), symbols(raw_), is_there, states_ + i, end);
    }
    const auto escaped = load_le<std::uint16_t>(reinterpret_cast<const std::byte*>(escaped_ + step * kFewLanes / 8));
    if (HWY_UNLIKELY(escaped != 0))
      for (unsigned lane = 0; lane < kFewLanes; ++lane)
        if ((escaped >> few_place(lane) & 1) != 0 && present.has(lane)) *end++ = tiles_.magnitude(lane, step);
    next_ -= end - words;
    std::copy(words, end, next_);
  }

  std::uint16_t* end(std::uint32_t* states) const {
    for (unsigned lane = 0; lane < kFewLanes; ++lane) states[lane] = states_[few_place(lane)];
    return next_;
  }

 private:
  static constexpr std::size_t kSymbols = kGroup * kFewLanes;

  const SymbolFinder& finder_;
  const Tiles& tiles_;
  std::uint16_t* next_;
  HWY_ALIGN std::uint32_t states_[kFewLanes], lanes_[kFewLanes];
  HWY_ALIGN std::uint8_t frequency_[kSymbols], start_[kSymbols], bits_[kSymbols], raw_[kSymbols];  // of a group
  std::uint8_t escaped_[kSymbols / 8 + 8];
};

// All groups, from the last to the first, as their decoder takes them in turn.
template <class Lanes>
std::uint16_t* write_groups(const Plane& plane, const Steps& steps, const ContextOfBin& context_of_bin,
                            const Residuals& residuals, std::uint32_t* states, std::uint16_t* end) {
  const SymbolFinder finder(plane, context_of_bin);
  Tiles tiles(steps, residuals, plane.low_bits);
  Lanes writer(finder, tiles, end);
  std::uint64_t group = steps.groups();
  const auto period = static_cast<std::int64_t>(steps.period);
  auto at = static_cast<std::int64_t>(kGroup * group), slot = at / period;  // of the group before
  at -= slot * period;
  while (group-- > 0) {
    at -= kGroup;
    if (at <= -std::int64_t{kGroup}) {
      at += period;
      --slot;
    }
    if (residuals.is_zero(group)) continue;
    const bool all = tiles.set(slot, at);
    writer.begin_group();
    for (unsigned i = kGroup; i-- > 0;) {
      const Steps::Present present = all ? Steps::Present{{0, Lanes::kCount}, {0, 0}} : steps.present(slot, at + i);
      if (present.lanes.count == Lanes::kCount)
        writer.template write<true>(i, present);
      else if (present.count() > 0)
        writer.template write<false>(i, present);
    }
  }
  return writer.end(states);
}

std::uint16_t* write_residuals(const Plane& plane, Size size, const ContextOfBin& context_of_bin,
                               const Residuals& residuals, std::uint32_t* states, std::uint16_t* end) {
  const Steps steps(size, plane.lanes());
  return steps.lanes == kFewLanes ? write_groups<FewLanes>(plane, steps, context_of_bin, residuals, states, end)
                                  : write_groups<ManyLanes>(plane, steps, context_of_bin, residuals, states, end);
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(write_residuals);

std::uint16_t* write_residuals(const Plane& plane, Size size, const ContextOfBin& context_of_bin,
                               const Residuals& residuals, std::uint32_t* states, std::uint16_t* end) {
  return HWY_DYNAMIC_DISPATCH(write_residuals)(plane, size, context_of_bin, residuals, states, end);
}

}  // namespace dicube::codec::lane
#endif
