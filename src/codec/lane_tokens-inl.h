// What the tokens of a step say, for one vector unit; included once for each.
#if defined(DICUBE_LANE_TOKENS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_TOKENS_INL
#undef DICUBE_LANE_TOKENS_INL
#else
#define DICUBE_LANE_TOKENS_INL
#endif

#include <algorithm>
#include <type_traits>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

constexpr std::size_t kBytes = HWY_MAX_BYTES, kParts = kMostLanes / kBytes, kDwords = kBytes / 4;
static_assert(kMostLanes % kBytes == 0);

// Before words are taken: what is left of the states, and the magnitudes of even and odd lanes.
struct Tokens {
  VU32 rests[4][kParts];
  VU16 magnitudes[2][kParts];
  hn::Mask<DU8> escaped[kParts];
};

// Those of all lanes, which stand in memory from `at` on.
class States {
 public:
#if HWY_MAX_BYTES == 64
  // In registers: what was stored can be loaded again no sooner than 12 cycles later.
  HWY_INLINE explicit States(std::uint32_t* at) : at_(at) {
    for (std::size_t j = 0; j < 4; ++j) held_[j] = hn::Load(DU32(), at_ + place_of(j, 0));
  }
  HWY_INLINE VU32 get(std::size_t j, std::size_t) const { return held_[j]; }
  HWY_INLINE void set(std::size_t j, std::size_t, VU32 state) { held_[j] = state; }
  HWY_INLINE void put_back() const {
    for (std::size_t j = 0; j < 4; ++j) hn::Store(held_[j], DU32(), at_ + place_of(j, 0));
  }
#else
  HWY_INLINE explicit States(std::uint32_t* at) : at_(at) {}
  HWY_INLINE VU32 get(std::size_t j, std::size_t part) const { return hn::Load(DU32(), at_ + place_of(j, part)); }
  HWY_INLINE void set(std::size_t j, std::size_t part, VU32 state) {
    hn::Store(state, DU32(), at_ + place_of(j, part));
  }
  HWY_INLINE void put_back() const {}
#endif

  static std::size_t place_of(std::size_t j, std::size_t part) { return j * kMostLanes / 4 + part * kDwords; }

 private:
  std::uint32_t* at_;
#if HWY_MAX_BYTES == 64
  VU32 held_[4];
#endif
};

template <int kPart>
using Part = std::integral_constant<int, kPart>;

// The same of a vector of lanes that have a dword each.
struct FewTokens {
  VU32 rest, magnitudes;
  hn::Mask<DU32> escaped;
};

// The even words of one vector of dwords, and those of another between them.
HWY_INLINE VU16 words_of(VU32 even, VU32 odd) {
  const DU16 d;
  return hn::OddEven(hn::BitCast(d, hn::ShiftLeft<16>(odd)), hn::BitCast(d, even));
}

// The same of odd words.
HWY_INLINE VU16 high_words_of(VU32 even, VU32 odd) {
  const DU16 d;
  return hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<16>(even)));
}

#if HWY_TARGET <= HWY_AVX3_DL
// Finds tokens by permuting bytes.
class TokenReader {
 public:
  explicit TokenReader(const Plane& plane) {
    const Tables tables = make_tables(plane);
    is_wide_ = std::any_of(tables.base.begin(), tables.base.end(), [](std::uint16_t base) { return base > 255; });
    for (unsigned context = 0; context < kMostContexts; ++context) {
      const auto* start = &tables.start[kTokens * context];
      // A binary search for the token: its bits stand above the context.
      first_[context] = start[4];
      for (unsigned i = 0; i < 2; ++i) second_[context + 16 * i] = start[4 * i + 2];
      for (unsigned i = 0; i < 4; ++i) third_[context + 16 * i] = start[4 * (i & 1) + 2 * (i >> 1) + 1];
      for (unsigned token = 0; token < kTokens; ++token) {
        const std::size_t from = kTokens * context + token,
                          to = context + 16 * ((token >> 2 & 1) + 2 * (token >> 1 & 1) + 4 * (token & 1));
        frequency_[to] = tables.frequency[from];
        start_[to] = tables.start[from];
        raw_bits_[to] = tables.raw_bits[from];
        base_low_[to] = static_cast<std::uint8_t>(tables.base[from]);
        base_high_[to] = static_cast<std::uint8_t>(tables.base[from] >> 8);
      }
    }
  }

  // Whether a token begins above 255.
  bool is_wide() const { return is_wide_; }

  // Of all lanes. `meanwhile`: work of a step's other half, in parts, called with the number of each; it is done while
  // look-ups are waited for.
  template <bool kWide, class Meanwhile>
  HWY_INLINE void read(const States& states, const VU8 (&contexts)[kParts], Tokens& tokens,
                       const Meanwhile& meanwhile) const {
    const DU8 d8;
    const DU16 d16;
    const hn::Repartition<std::uint32_t, DU8> pairs;
    const auto state = [&](std::size_t j) HWY_ATTR { return states.get(j, 0); };
    const VU8 low = hn::OddEven(hn::BitCast(d8, hn::ShiftLeft<8>(state(1))), hn::BitCast(d8, state(0)));
    const VU8 high = hn::OddEven(hn::BitCast(d8, hn::ShiftLeft<8>(state(3))), hn::BitCast(d8, state(2)));
    const Found found = find<kWide>(
        contexts[0], hn::BitCast(d8, words_of(hn::BitCast(pairs, low), hn::BitCast(pairs, high))), meanwhile);
    meanwhile(Part<3>());
    const auto whole = [&](VU32 old, VU32 frequency, VU32 offset)
                           HWY_ATTR { return hn::Add(hn::Mul(hn::ShiftRight<8>(old), frequency), offset); };
    const VU32 w0 = whole(state(0), byte_of<0>(found.frequency), byte_of<0>(found.offset));
    const VU32 w1 = whole(state(1), byte_of<1>(found.frequency), byte_of<1>(found.offset));
    const VU32 w2 = whole(state(2), byte_of<2>(found.frequency), byte_of<2>(found.offset));
    const VU32 w3 = whole(state(3), byte_of<3>(found.frequency), byte_of<3>(found.offset));
    tokens.rests[0][0] = hn::Shr(w0, byte_of<0>(found.bits));
    tokens.rests[1][0] = hn::Shr(w1, byte_of<1>(found.bits));
    tokens.rests[2][0] = hn::Shr(w2, byte_of<2>(found.bits));
    tokens.rests[3][0] = hn::Shr(w3, byte_of<3>(found.bits));
    meanwhile(Part<4>());
    // Even lanes are those of vectors 0 and 2; their bytes are the even ones.
    const VU16 even_words = words_of(w0, w2), odd_words = words_of(w1, w3);
    const VU16 byte = hn::Set(d16, 255);
    const VU16 masks = hn::BitCast(d16, hn::TableLookupBytes(hn::LoadDup128(d8, kLowMasks), found.bits)),
               bases = hn::BitCast(d16, found.low);
    VU16 even_base = hn::And(bases, byte), odd_base = hn::ShiftRight<8>(bases);
    if constexpr (kWide) {
      const VU16 above_bases = hn::BitCast(d16, found.high);
      even_base = hn::Or(even_base, hn::ShiftLeft<8>(above_bases));
      odd_base = hn::Or(odd_base, hn::AndNot(byte, above_bases));
    }
    tokens.magnitudes[0][0] = hn::Add(even_base, hn::And(even_words, hn::And(masks, byte)));
    tokens.magnitudes[1][0] = hn::Add(odd_base, hn::And(odd_words, hn::ShiftRight<8>(masks)));
    tokens.escaped[0] = found.escaped;
  }

  // Of lanes that have a dword each; contexts likewise.
  template <bool kWide>
  HWY_INLINE FewTokens read_few(VU32 states, VU32 contexts) const {
    const DU8 d8;
    const DU32 d32;
    // Only the lowest byte of each dword has a meaning.
    const Found found = find<kWide>(hn::BitCast(d8, contexts), hn::BitCast(d8, states), [](auto) HWY_ATTR {});
    const VU32 whole =
        hn::Add(hn::Mul(hn::ShiftRight<8>(states), byte_of<0>(found.frequency)), byte_of<0>(found.offset));
    const VU32 masks = byte_of<0>(hn::TableLookupBytes(hn::LoadDup128(d8, kLowMasks), found.bits));
    VU32 bases = byte_of<0>(found.low);
    if constexpr (kWide) bases = hn::Or(bases, hn::ShiftLeft<8>(byte_of<0>(found.high)));
    const VU32 escaped = byte_of<0>(hn::VecFromMask(d8, found.escaped));
    return {hn::Shr(whole, byte_of<0>(found.bits)), hn::Add(bases, hn::And(whole, masks)),
            hn::Ne(escaped, hn::Zero(d32))};
  }

 private:
  static_assert(kParts == 1);

  // A token's properties, for a byte vector of values.
  struct Found {
    VU8 frequency, offset, bits, low, high;
    hn::Mask<DU8> escaped;
  };

  template <bool kWide, class Meanwhile>
  HWY_INLINE Found find(VU8 context, VU8 slot, const Meanwhile& meanwhile) const {
    const DU8 d;
    meanwhile(Part<0>());
    VU8 at = hn::MaskedAddOr(context, hn::Ge(slot, hn::TableLookupBytes(hn::LoadDup128(d, first_), context)), context,
                             hn::Set(d, 16));
    meanwhile(Part<1>());
    at = hn::MaskedAddOr(at, hn::Ge(slot, of_64(second_, at)), at, hn::Set(d, 32));
    meanwhile(Part<2>());
    at = hn::MaskedAddOr(at, hn::Ge(slot, of_64(third_, at)), at, hn::Set(d, 64));
    return {of_128(frequency_, at),
            hn::Sub(slot, of_128(start_, at)),
            of_128(raw_bits_, at),
            of_128(base_low_, at),
            kWide ? of_128(base_high_, at) : hn::Zero(d),
            hn::Ge(at, hn::Set(d, 16 * kEscape))};
  }

  bool is_wide_;
  HWY_ALIGN std::uint8_t first_[64] = {}, second_[64] = {}, third_[64] = {};
  HWY_ALIGN std::uint8_t frequency_[128], start_[128], raw_bits_[128], base_low_[128], base_high_[128];
};
#else
// Finds tokens in a table by context and slot. It is read one entry at a time, which other units of the processor do
// while vectors are worked on.
class TokenReader {
 public:
  explicit TokenReader(const Plane& plane) {
    const Tables tables = make_tables(plane);
    for (unsigned context = 0; context < plane.contexts.size(); ++context)
      for (unsigned token = 0; token < kTokens; ++token) {
        const std::size_t at = kTokens * context + token;
        const unsigned base = token == kEscape ? kEscapeBase : tables.base[at];
        std::uint32_t* const to = entries_ + 256 * context + tables.start[at];
        for (unsigned offset = 0; offset < tables.frequency[at]; ++offset)
          to[offset] = unsigned{tables.raw_bits[at]} << 28 | base << 16 | unsigned{tables.frequency[at]} << 8 | offset;
      }
  }

  bool is_wide() const { return false; }

  // Of all lanes. `meanwhile`: as above.
  template <bool kWide, class Meanwhile>
  HWY_INLINE void read(const States& states, const VU8 (&contexts)[kParts], Tokens& tokens,
                       const Meanwhile& meanwhile) const {
    HWY_ALIGN std::uint32_t places[kMostLanes];
    for (std::size_t p = 0; p < kParts; ++p) set_places(states, p, contexts[p], places);
    meanwhile(Part<0>());
    meanwhile(Part<1>());
    meanwhile(Part<2>());
    meanwhile(Part<3>());
    meanwhile(Part<4>());
    for (std::size_t p = 0; p < kParts; ++p) read_part(states, p, places, tokens);
  }

  // Of lanes that have a dword each; contexts likewise.
  template <bool kWide>
  HWY_INLINE FewTokens read_few(VU32 states, VU32 contexts) const {
    const DU32 d;
    HWY_ALIGN std::uint32_t places[kDwords];
    hn::Store(hn::Or(hn::ShiftLeft<8>(contexts), hn::And(states, hn::Set(d, 255))), d, places);
    const Step step(look_up(places), states);
    const VU32 base = hn::And(hn::ShiftRight<16>(step.entry), hn::Set(d, kEscapeBase));
    return {step.rest, hn::Add(base, step.low), hn::Eq(base, hn::Set(d, kEscapeBase))};
  }

 private:
  // From an entry of the table and the state that it is for, what is left of this, and the low bits.
  struct Step {
    HWY_INLINE Step(VU32 of, VU32 state) : entry(of) {
      const DU32 d;
      const VU32 bits = hn::ShiftRight<28>(entry);
      const VU32 whole = hn::Add(hn::Mul(hn::ShiftRight<8>(state), byte_of<1>(hn::BitCast(DU8(), entry))),
                                 hn::And(entry, hn::Set(d, 255)));
      rest = hn::Shr(whole, bits);
      low = hn::Sub(whole, hn::Shl(rest, bits));
    }
    VU32 entry, rest, low;
  };

  static constexpr std::uint16_t kEscapeBase = 0xFFF;  // larger than all magnitudes that tokens stand for

  // Where entries stand, in the low word of each dword: the slot, and above it the context.
  HWY_INLINE static void set_places(const States& states, std::size_t p, VU8 contexts, std::uint32_t* places) {
    const DU8 d8;
    const DU32 d32;
    const VU32 whole = hn::BitCast(d32, contexts);
    const VU32 moved[4] = {hn::ShiftLeft<8>(whole), whole, hn::ShiftRight<8>(whole), hn::ShiftRight<16>(whole)};
    for (std::size_t j = 0; j < 4; ++j) {
      const VU8 place = hn::OddEven(hn::BitCast(d8, moved[j]), hn::BitCast(d8, states.get(j, p)));
      hn::Store(hn::BitCast(d32, place), d32, places + States::place_of(j, p));
    }
  }

  HWY_INLINE VU32 look_up(const std::uint32_t* places) const {
    const DU32 d;
    const auto entry = [&](std::size_t i) HWY_ATTR { return entries_[static_cast<std::uint16_t>(places[i])]; };
    const auto four = [&](std::size_t i) HWY_ATTR {
      return hn::Dup128VecFromValues(hn::Full128<std::uint32_t>(), entry(i), entry(i + 1), entry(i + 2), entry(i + 3));
    };
#if HWY_MAX_BYTES == 16
    static_cast<void>(d);
    return four(0);
#elif HWY_MAX_BYTES == 32
    return hn::Combine(d, four(4), four(0));
#else
    const hn::Half<DU32> half;
    return hn::Combine(d, hn::Combine(half, four(12), four(8)), hn::Combine(half, four(4), four(0)));
#endif
  }

  HWY_INLINE void read_part(const States& states, std::size_t p, const std::uint32_t* places, Tokens& tokens) const {
    const DU8 d8;
    const DU16 d16;
    VU32 entries[4], low[4];
    for (std::size_t j = 0; j < 4; ++j) {
      const Step step(look_up(places + States::place_of(j, p)), states.get(j, p));
      entries[j] = step.entry;
      low[j] = step.low;
      tokens.rests[j][p] = step.rest;
    }
    const VU16 escape_base = hn::Set(d16, kEscapeBase);
    VU8 escaped[2];
    for (std::size_t half = 0; half < 2; ++half) {
      const VU16 base = hn::And(high_words_of(entries[half], entries[half + 2]), escape_base);
      escaped[half] = hn::BitCast(d8, hn::VecFromMask(d16, hn::Eq(base, escape_base)));
      tokens.magnitudes[half][p] = hn::Add(base, words_of(low[half], low[half + 2]));
    }
    tokens.escaped[p] = hn::MaskFromVec(hn::OddEven(escaped[1], escaped[0]));
  }

  HWY_ALIGN std::uint32_t entries_[256 * kMostContexts];  // raw bits, base, frequency and offset, from 4 bits on
};
#endif

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
