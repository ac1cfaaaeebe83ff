// From magnitudes to states and words, in vectors.
#include <algorithm>
#include <bit>

#include "codec/lane_simd.h"
#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_writer_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Codes residuals block by block, from the last to the first, as their decoder takes them in turn.
class ResidualWriter {
 public:
  ResidualWriter(const Plane& plane, const ContextOfBin& context_of_bin, std::uint16_t* end)
      : low_bits_(plane.low_bits), next_(end) {
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
    std::fill(states_, states_ + kMostLanes, kLeastState);
  }

  // REQUIRES: a block of `count` residuals, the first of lane `lane`. May be read up to the end of a whole block.
  HWY_INLINE void write(const std::uint16_t* magnitudes, const std::uint8_t* bins, const std::uint8_t* classes,
                        std::size_t count, unsigned lane) {
    if (count == kBlock)
      write_block<true>(magnitudes, bins, classes, count, states_ + lane);
    else
      write_block<false>(magnitudes, bins, classes, count, states_ + lane);
  }

  // The word written last; the states of `lanes` lanes go to `states`.
  std::uint16_t* end(unsigned lanes, std::uint32_t* states) const {
    for (unsigned lane = 0; lane < lanes; ++lane) states[lane] = states_[place(lane)];
    return next_;
  }

 private:
  static constexpr std::size_t kBytes = HWY_MAX_BYTES, kParts = kBlock / kBytes, kDwords = kBytes / 4;
  static_assert(kBlock % kBytes == 0);

  // What the coder must know of bytes' symbols.
  struct Symbols {
    VU8 frequency, start, bits, base;
    hn::Mask<DU8> escaped;
  };
#if HWY_TARGET <= HWY_AVX3_DL
  HWY_INLINE Symbols symbols(VU8 context, VU8 magnitude_class) const {
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
  HWY_INLINE Symbols symbols(VU8 context, VU8 magnitude_class) const {
    const DU8 d;
    const hn::RebindToSigned<DU8> signed_bytes;  // classes are below 128
    HWY_FENCE;                                   // the tables stay in memory: there are more of them than registers
    const auto of = [&](const std::uint8_t* table, unsigned token)
                        HWY_ATTR { return hn::TableLookupBytes(hn::LoadDup128(d, table + 16 * token), context); };
    Symbols found{of(frequency_, 0), of(start_, 0), of(raw_bits_, 0), of(base_, 0), hn::MaskFalse(d)};
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

  // The low bytes of magnitudes without their low bits.
  HWY_INLINE VU8 low_bytes(const std::uint16_t* magnitudes) const {
    const DU16 d;
    const auto half = [&](std::size_t i)
                          HWY_ATTR { return hn::ShiftRightSame(hn::LoadU(d, magnitudes + i * kBytes / 2), low_bits_); };
    return hn::OrderedTruncate2To(DU8(), half(0), half(1));
  }

  // value / divisor for value < 2^24 divisor. What floating point estimates from below, integers then make exact.
  HWY_INLINE static VU32 divided(VU32 value, VU32 divisor) {
    const DU32 d;
    const hn::RebindToFloat<DU32> df;
    const hn::RebindToSigned<DU32> di;
    const auto reciprocal = hn::Div(hn::Set(df, 1.0F), hn::ConvertTo(df, hn::BitCast(di, divisor)));
    const auto below = hn::Mul(reciprocal, hn::Set(df, 2.0F - 2.0F / (1 << 21)));
    const auto half = hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<1>(value)));  // signs are cheaper to convert
    const VU32 least = hn::BitCast(d, hn::ConvertTo(di, hn::Mul(half, below)));
    const VU32 rest = hn::Sub(value, hn::Mul(least, divisor));  // less than 16 times the divisor
    const auto more = hn::Mul(hn::Add(hn::ConvertTo(df, hn::BitCast(di, rest)), hn::Set(df, 0.5F)), reciprocal);
    return hn::Add(least, hn::BitCast(d, hn::ConvertTo(di, more)));
  }

  template <bool kAll>
  HWY_INLINE void write_block(const std::uint16_t* magnitudes, const std::uint8_t* bins, const std::uint8_t* classes,
                              std::size_t count, std::uint32_t* states) {
    const DU8 d;
    Symbols found[kParts];
    VU8 raw[kParts];
    bool any_escape = false;
    for (std::size_t p = 0; p < kParts; ++p) {
      found[p] = symbols(of_64(context_, hn::LoadU(d, bins + p * kBytes)), hn::LoadU(d, classes + p * kBytes));
      raw[p] = hn::And(hn::Sub(low_bytes(magnitudes + p * kBytes), found[p].base),
                       hn::TableLookupBytes(hn::LoadDup128(d, kLowMasks), found[p].bits));
      if constexpr (!kAll)
        found[p].escaped = hn::And(found[p].escaped, leading(d, count - std::min(count, p * kBytes)));
      any_escape |= !hn::AllFalse(d, found[p].escaped);
    }
    std::uint16_t words[2 * kBlock + kDwords];
    std::uint16_t* end = words;
    for (std::size_t p = 0; p < kParts; ++p) end = put<0, kAll>(found[p], raw[p], p, count, states, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put<1, kAll>(found[p], raw[p], p, count, states, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put<2, kAll>(found[p], raw[p], p, count, states, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put<3, kAll>(found[p], raw[p], p, count, states, end);
    if (HWY_UNLIKELY(any_escape)) {
      std::uint8_t bits[kBlock / 8 + 8] = {};
      for (std::size_t p = 0; p < kParts; ++p) hn::StoreMaskBits(d, found[p].escaped, bits + p * kBytes / 8);
      for (auto left = load_le<std::uint64_t>(reinterpret_cast<const std::byte*>(bits)); left != 0; left &= left - 1)
        *end++ = static_cast<std::uint16_t>(magnitudes[std::countr_zero(left)] >> low_bits_);
    }
    next_ -= end - words;
    std::copy(words, end, next_);
  }

  // Puts the symbols of lanes 4 i + kLane into their states; the words that those were too full for go to `words`.
  template <unsigned kLane, bool kAll>
  HWY_INLINE static std::uint16_t* put(const Symbols& of, VU8 raw, std::size_t part, std::size_t count,
                                       std::uint32_t* states, std::uint16_t* words) {
    const DU32 d;
    std::uint32_t* place = states + kLane * kBlock / 4 + part * kDwords;
    const VU32 state = hn::Load(d, place), frequency = byte_of<kLane>(of.frequency), bits = byte_of<kLane>(of.bits);
    auto full = hn::Ge(state, hn::Shl(frequency, hn::Sub(hn::Set(d, 24), bits)));
    [[maybe_unused]] const std::size_t before = kLane + part * kBytes,
                                       here = count > before ? (count - before + 3) / 4 : 0;
    if constexpr (!kAll) full = hn::And(full, leading(d, here));
    std::uint16_t* const end = put_words(state, full, words);
    const VU32 room = hn::IfThenElse(full, hn::ShiftRight<16>(state), state);
    const VU32 value = hn::Or(hn::Shl(room, bits), byte_of<kLane>(raw));
    VU32 after = hn::Add(hn::Add(value, byte_of<kLane>(of.start)),
                         hn::Mul(divided(value, frequency), hn::Sub(hn::Set(d, 256), frequency)));
    if constexpr (!kAll) after = hn::IfThenElse(leading(d, here), after, state);
    hn::Store(after, d, place);
    return end;
  }

  int low_bits_;
  std::uint16_t* next_;
  HWY_ALIGN std::uint32_t states_[kMostLanes];
  HWY_ALIGN std::uint8_t context_[kBins] = {};
  HWY_ALIGN std::uint8_t first_[128] = {}, frequency_[128] = {}, start_[128] = {}, raw_bits_[128] = {}, base_[128] = {};
};

std::uint16_t* write_residuals(const Plane& plane, Size size, const ContextOfBin& context_of_bin,
                               const Residuals& residuals, std::uint32_t* states, std::uint16_t* end) {
  ResidualWriter writer(plane, context_of_bin, end);
  const unsigned lanes = plane.lanes();
  const auto per_row = static_cast<std::uint32_t>(size.groups_per_row(lanes));
  std::uint64_t group = std::uint64_t{per_row} * size.rows;
  for (std::uint32_t y = size.rows; y-- > 0;)
    for (std::uint32_t i = per_row; i-- > 0;) {
      if (residuals.is_zero(--group)) continue;
      const std::uint32_t begin = i * lanes, count = std::min<std::uint32_t>(lanes, size.columns - begin);
      for (std::uint32_t block = (count + kBlock - 1) / kBlock; block-- > 0;) {
        const std::uint32_t lane = block * kBlock, x = begin + lane;
        const std::size_t at = std::size_t{y} * size.columns + x;
        writer.write(residuals.magnitudes + y * residuals.stride + x, residuals.bins + at, residuals.classes + at,
                     std::min(kBlock, count - lane), lane);
      }
    }
  return writer.end(lanes, states);
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
