// Reading the residuals of a plane, for one vector unit; included once for each.
#if defined(DICUBE_LANE_RESIDUALS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_RESIDUALS_INL
#undef DICUBE_LANE_RESIDUALS_INL
#else
#define DICUBE_LANE_RESIDUALS_INL
#endif

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Words in order; behind their end zeros, so that a vector may be read anywhere.
class Words {
 public:
  static constexpr std::size_t kSpare = 4 * kMostLanes;
  Words(ByteSpan bytes, std::vector<std::uint16_t>& copy) {
    count_ = bytes.size() / 2;
    copy.resize(count_ + kSpare);
    if (count_ > 0) std::memcpy(copy.data(), bytes.data(), 2 * count_);
    std::fill(copy.begin() + static_cast<std::ptrdiff_t>(count_), copy.end(), std::uint16_t{0});
    begin_ = at_ = copy.data();
  }
  const std::uint16_t* at() const { return at_; }
  void move_to(const std::uint16_t* at) { at_ = at; }
  std::uint16_t next() { return *at_++; }
  std::size_t used() const { return static_cast<std::size_t>(at_ - begin_); }
  std::size_t count() const { return count_; }
  bool overrun() const { return used() > count_; }

 private:
  const std::uint16_t *begin_, *at_;
  std::size_t count_;
};

// A token's properties, for a byte vector of values.
struct Found {
  VU8 frequency, offset, bits, low, high;
  hn::Mask<DU8> escaped;
};

// Reads residuals block by block. What belongs to lane 4 i + j of a block stands in dword i of vector j, and byte j of
// it: bytes of all four vectors are put together, and taken apart again, by shifts.
class ResidualReader {
 public:
  static constexpr std::size_t kBytes = HWY_MAX_BYTES, kParts = kBlock / kBytes, kWords = kBytes / 2,
                               kDwords = kBytes / 4;
  // Blocks read side by side, where a vector holds a whole one: alone it mostly waits for itself.
  static constexpr std::uint32_t kTogether = kPermutes ? 2 : 1;
  static_assert(kBlock % kBytes == 0);

  ResidualReader(const Plane& plane, const Coded& coded, std::vector<std::uint16_t>& words)
      : plane_(plane),
        coded_(coded),
        words_(coded.words, words),
        has_low_bits_(plane.low_bits > 0),
        activity_shift_(plane.activity_shift) {
    const Tables tables = make_tables(plane);
    wide_ = std::any_of(tables.base.begin(), tables.base.end(), [](std::uint16_t base) { return base > 255; });
    for (unsigned context = 0; context < kMostContexts; ++context) {
      const auto* start = &tables.start[kTokens * context];
      if constexpr (kPermutes) {  // a binary search for the token: its bits stand above the context
        first_[context] = start[4];
        for (unsigned i = 0; i < 2; ++i) second_[context + 16 * i] = start[4 * i + 2];
        for (unsigned i = 0; i < 4; ++i) third_[context + 16 * i] = start[4 * (i & 1) + 2 * (i >> 1) + 1];
      }
      for (unsigned token = 0; token < kTokens; ++token) {
        const std::size_t from = kTokens * context + token;
        const std::size_t to =
            context + 16 * (kPermutes ? (token >> 2 & 1) + 2 * (token >> 1 & 1) + 4 * (token & 1) : token);
        frequency_[to] = tables.frequency[from];
        start_[to] = static_cast<std::uint8_t>(tables.start[from] ^ (kPermutes ? 0 : 0x80));
        raw_bits_[to] = tables.raw_bits[from];
        base_low_[to] = static_cast<std::uint8_t>(tables.base[from]);
        base_high_[to] = static_cast<std::uint8_t>(tables.base[from] >> 8);
      }
    }
    for (unsigned i = 0; i < kActivities; ++i)
      context_[i] = static_cast<std::uint8_t>(std::upper_bound(plane.thresholds.begin(), plane.thresholds.end(), i) -
                                              plane.thresholds.begin());
    for (unsigned lane = 0; lane < plane.lanes(); ++lane)
      states_[place(lane)] = load_le<std::uint32_t>(coded.states.data() + 4 * lane);
  }

  // A row's magnitudes, or, without low bits, its residuals: those of even and odd columns apart. `above` and `top`:
  // activities of the two rows before, `own` of this one. All may be written up to kMostLanes behind their end.
  HWY_INLINE Status read_row(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                             std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    for (std::uint32_t x = 0; x < columns; x += plane_.lanes(), ++group_) {
      const std::uint32_t count = std::min<std::uint32_t>(plane_.lanes(), columns - x);
      if (plane_.zero_flags && (coded_.zero_flags[group_ / 8] >> (group_ % 8) & std::byte{1}) != std::byte{0}) {
        std::fill(own + x, own + x + count, std::uint8_t{0});
        std::fill(even + x / 2, even + (x + count + 1) / 2, std::int16_t{0});
        std::fill(odd + x / 2, odd + (x + count + 1) / 2, std::int16_t{0});
        continue;
      }
      for (std::uint32_t i = 0; i < count;) {
        const std::uint32_t at = x + i, left = count - i;
        if (left >= kTogether * kBlock) {
          read_blocks<kTogether, true>(states_ + i, kBlock, above + at, top + at, own + at, even + at / 2,
                                       odd + at / 2);
          i += kTogether * kBlock;
          continue;
        }
        if (left >= kBlock)
          read_blocks<1, true>(states_ + i, kBlock, above + at, top + at, own + at, even + at / 2, odd + at / 2);
        else
          read_blocks<1, false>(states_ + i, left, above + at, top + at, own + at, even + at / 2, odd + at / 2);
        i += kBlock;
      }
      if (words_.overrun()) return fail(ErrorClass::kCodec, "lane stream: its {} words end too early", words_.count());
    }
    return {};
  }

  // The unrest around the next rows, in the reference: bytes that many behind `above`; 0: none.
  void set_unrest(std::ptrdiff_t behind_above) { unrest_ = behind_above; }

  Status check_end() const {
    if (words_.used() != words_.count())
      return fail(ErrorClass::kCodec, "lane stream: {} words used of {}", words_.used(), words_.count());
    for (unsigned lane = 0; lane < plane_.lanes(); ++lane)
      if (states_[place(lane)] != kLeastState)
        return fail(ErrorClass::kCodec, "lane stream: a state ends at {:#x}, {:#x} expected", states_[place(lane)],
                    kLeastState);
    return {};
  }

 private:
#if HWY_TARGET <= HWY_AVX3_DL
  // Of several vectors side by side, for each look-up waits for the one before.
  template <bool kWide, std::size_t kVectors>
  HWY_INLINE void find(const VU8* context, const VU8* slot, Found* found) const {
    const DU8 d;
    VU8 at[kVectors];
    for (std::size_t i = 0; i < kVectors; ++i)
      at[i] = hn::MaskedAddOr(context[i], hn::Ge(slot[i], hn::TableLookupBytes(hn::LoadDup128(d, first_), context[i])),
                              context[i], hn::Set(d, 16));
    for (std::size_t i = 0; i < kVectors; ++i)
      at[i] = hn::MaskedAddOr(at[i], hn::Ge(slot[i], of_64(second_, at[i])), at[i], hn::Set(d, 32));
    for (std::size_t i = 0; i < kVectors; ++i)
      at[i] = hn::MaskedAddOr(at[i], hn::Ge(slot[i], of_64(third_, at[i])), at[i], hn::Set(d, 64));
    for (std::size_t i = 0; i < kVectors; ++i)
      found[i] = {of_128(frequency_, at[i]),
                  hn::Sub(slot[i], of_128(start_, at[i])),
                  of_128(raw_bits_, at[i]),
                  of_128(base_low_, at[i]),
                  kWide ? of_128(base_high_, at[i]) : hn::Zero(d),
                  hn::Ge(at[i], hn::Set(d, 16 * kEscape))};
  }
#else
  // One token after the other: their tables have an entry per context. Starts and slots have their highest bits turned,
  // so that bytes may be compared with their signs, which is one instruction.
  template <bool kWide, std::size_t kVectors>
  HWY_INLINE void find(const VU8* contexts, const VU8* slots, Found* all_found) const {
    static_assert(kVectors == 1);
    const DU8 d;
    const hn::RebindToSigned<DU8> signed_bytes;
    const VU8 context = *contexts;
    HWY_FENCE;  // the tables stay in memory: there are more of them than registers
    const auto of = [&](const std::uint8_t* table, unsigned token)
                        HWY_ATTR { return hn::TableLookupBytes(hn::LoadDup128(d, table + 16 * token), context); };
    const VU8 place = hn::Xor(*slots, hn::Set(d, 0x80));
    VU8 begin = hn::Set(d, 0x80), end = of(start_, 1), bits = of(raw_bits_, 0), low = hn::Zero(d), high = hn::Zero(d);
    VU8 start = end;
    for (unsigned token = 1; token < kTokens; ++token) {
      const auto before = hn::RebindMask(d, hn::Gt(hn::BitCast(signed_bytes, start), hn::BitCast(signed_bytes, place)));
      const VU8 next = token == kEscape ? hn::Set(d, 0x80) : of(start_, token + 1);
      begin = hn::IfThenElse(before, begin, start);
      end = hn::IfThenElse(before, end, next);
      if (token == kEscape) {
        bits = hn::IfThenElseZero(before, bits);
        low = hn::IfThenElseZero(before, low);
        if constexpr (kWide) high = hn::IfThenElseZero(before, high);
        all_found->escaped = hn::Not(before);
      } else {
        bits = hn::IfThenElse(before, bits, of(raw_bits_, token));
        low = hn::IfThenElse(before, low, of(base_low_, token));
        if constexpr (kWide) high = hn::IfThenElse(before, high, of(base_high_, token));
      }
      start = next;
    }
    all_found->frequency = hn::Sub(end, begin);
    all_found->offset = hn::Sub(place, begin);
    all_found->bits = bits;
    all_found->low = low;
    all_found->high = high;
  }
#endif

  template <std::size_t kBlocks, bool kAll>
  HWY_INLINE void read_blocks(std::uint32_t* states, std::size_t count, const std::uint8_t* above,
                              const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    if (wide_) return read_blocks_as<kBlocks, kAll, true>(states, count, above, top, own, even, odd);
    read_blocks_as<kBlocks, kAll, false>(states, count, above, top, own, even, odd);
  }

  // What a block's tokens say, before words are taken: `rests` of states, and magnitudes of even and of odd columns.
  struct Tokens {
    VU32 rests[4][kParts];
    VU16 magnitudes[2][kParts];
    hn::Mask<DU8> escaped[kParts];
  };

  // Part `p` of each block.
  template <std::size_t kBlocks, bool kWide>
  HWY_INLINE void read_tokens(const std::uint32_t* states, const std::uint8_t* above, const std::uint8_t* top,
                              std::size_t p, Tokens* tokens) const {
    const DU8 d8;
    const DU16 d16;
    const DU32 d32;
    const hn::Repartition<std::uint32_t, DU8> pairs;
    const auto state = [&](std::size_t b, std::size_t j)
                           HWY_ATTR { return hn::Load(d32, states + b * kBlock + j * kBlock / 4 + p * kDwords); };
    VU8 slots[kBlocks], contexts[kBlocks];
    Found all_found[kBlocks];
    for (std::size_t b = 0; b < kBlocks; ++b) {
      const VU8 low = hn::OddEven(hn::BitCast(d8, hn::ShiftLeft<8>(state(b, 1))), hn::BitCast(d8, state(b, 0)));
      const VU8 high = hn::OddEven(hn::BitCast(d8, hn::ShiftLeft<8>(state(b, 3))), hn::BitCast(d8, state(b, 2)));
      slots[b] = hn::BitCast(
          d8, hn::OddEven(hn::BitCast(d16, hn::ShiftLeft<16>(hn::BitCast(pairs, high))), hn::BitCast(d16, low)));
      contexts[b] = context_of(above + b * kBlock + p * kBytes, top + b * kBlock + p * kBytes);
    }
    find<kWide, kBlocks>(contexts, slots, all_found);
    const auto whole = [&](VU32 old, VU32 frequency, VU32 offset)
                           HWY_ATTR { return hn::Add(hn::Mul(hn::ShiftRight<8>(old), frequency), offset); };
    for (std::size_t b = 0; b < kBlocks; ++b) {
      const Found& found = all_found[b];
      const VU32 w0 = whole(state(b, 0), byte_of<0>(found.frequency), byte_of<0>(found.offset));
      const VU32 w1 = whole(state(b, 1), byte_of<1>(found.frequency), byte_of<1>(found.offset));
      const VU32 w2 = whole(state(b, 2), byte_of<2>(found.frequency), byte_of<2>(found.offset));
      const VU32 w3 = whole(state(b, 3), byte_of<3>(found.frequency), byte_of<3>(found.offset));
      tokens[b].rests[0][p] = hn::Shr(w0, byte_of<0>(found.bits));
      tokens[b].rests[1][p] = hn::Shr(w1, byte_of<1>(found.bits));
      tokens[b].rests[2][p] = hn::Shr(w2, byte_of<2>(found.bits));
      tokens[b].rests[3][p] = hn::Shr(w3, byte_of<3>(found.bits));
      // Even columns are those of vectors 0 and 2; their bytes are the even ones.
      const VU16 even_words = hn::OddEven(hn::BitCast(d16, hn::ShiftLeft<16>(w2)), hn::BitCast(d16, w0));
      const VU16 odd_words = hn::OddEven(hn::BitCast(d16, hn::ShiftLeft<16>(w3)), hn::BitCast(d16, w1));
      const VU16 byte = hn::Set(d16, 255);
      const VU16 masks = hn::BitCast(d16, hn::TableLookupBytes(hn::LoadDup128(d8, kLowMasks), found.bits)),
                 bases = hn::BitCast(d16, found.low);
      VU16 even_base = hn::And(bases, byte), odd_base = hn::ShiftRight<8>(bases);
      if constexpr (kWide) {
        const VU16 above_bases = hn::BitCast(d16, found.high);
        even_base = hn::Or(even_base, hn::ShiftLeft<8>(above_bases));
        odd_base = hn::Or(odd_base, hn::AndNot(byte, above_bases));
      }
      tokens[b].magnitudes[0][p] = hn::Add(even_base, hn::And(even_words, hn::And(masks, byte)));
      tokens[b].magnitudes[1][p] = hn::Add(odd_base, hn::And(odd_words, hn::ShiftRight<8>(masks)));
      tokens[b].escaped[p] = found.escaped;
    }
  }

  // Of a block: words to the states that are short of them, and to its escapes.
  template <bool kAll>
  HWY_INLINE void read_words(std::uint32_t* states, std::size_t count, Tokens& tokens) {
    const DU8 d8;
    const DU32 d32;
    const std::uint16_t* words_at =
        words_.at();  // not a member: a vector that is stored might change those for all that the compiler knows
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t p = 0; p < kParts; ++p) {
        const VU32 rest = tokens.rests[j][p];
        std::uint32_t* state = states + j * kBlock / 4 + p * kDwords;
        auto short_of = hn::Lt(rest, hn::Set(d32, kLeastState));
        [[maybe_unused]] const std::size_t before = j + p * kBytes;  // lanes that are not there keep their states
        if constexpr (!kAll)
          short_of = hn::And(short_of, hn::FirstN(d32, count > before ? (count - before + 3) / 4 : 0));
        const VU32 words = take_words(short_of, words_at);
        VU32 after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), words), rest);
        if constexpr (!kAll)
          after = hn::IfThenElse(hn::FirstN(d32, count > before ? (count - before + 3) / 4 : 0), after,
                                 hn::Load(d32, state));
        hn::Store(after, d32, state);
      }
    words_.move_to(words_at);
    bool any_escape = false;
    for (std::size_t p = 0; p < kParts; ++p) {
      if constexpr (!kAll)
        tokens.escaped[p] = hn::And(tokens.escaped[p], hn::FirstN(d8, count - std::min(count, p * kBytes)));
      any_escape |= !hn::AllFalse(d8, tokens.escaped[p]);
    }
    if (HWY_UNLIKELY(any_escape)) read_escapes(tokens.escaped, tokens.magnitudes);
  }

  // REQUIRES: kAll, or one block with count < kBlock values that are there.
  template <std::size_t kBlocks, bool kAll, bool kWide>
  HWY_INLINE void read_blocks_as(std::uint32_t* states, std::size_t count, const std::uint8_t* above,
                                 const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    const DU8 d8;
    const DU16 d16;
    const D16 di16;
    const unsigned activity_shift = activity_shift_;
    const bool has_low_bits = has_low_bits_;
    Tokens tokens[kBlocks];
    for (std::size_t p = 0; p < kParts; ++p) read_tokens<kBlocks, kWide>(states, above, top, p, tokens);
    for (std::size_t b = 0; b < kBlocks; ++b) read_words<kAll>(states + b * kBlock, count, tokens[b]);
    for (std::size_t b = 0; b < kBlocks; ++b)
      for (std::size_t p = 0; p < kParts; ++p) {
        const auto& magnitudes = tokens[b].magnitudes;
        VU8 activity = activities(magnitudes[0][p], magnitudes[1][p], activity_shift);
        if constexpr (!kAll)
          activity = hn::IfThenElseZero(hn::FirstN(d8, count - std::min(count, p * kBytes)), activity);
        hn::StoreU(activity, d8, own + b * kBlock + p * kBytes);
        for (std::size_t half = 0; half < 2; ++half) {
          VU16 value = magnitudes[half][p];
          if (!has_low_bits)
            value = hn::Xor(hn::ShiftRight<1>(value), hn::Sub(hn::Zero(d16), hn::And(value, hn::Set(d16, 1))));
          hn::StoreU(hn::BitCast(di16, value), di16, (half == 0 ? even : odd) + b * kBlock / 2 + p * kWords);
        }
      }
  }

  HWY_INLINE void read_escapes(const hn::Mask<DU8>* escaped, VU16 (*magnitudes)[kParts]) {
    const DU8 d8;
    const DU16 d16;
    HWY_ALIGN std::uint16_t values[2][kBlock / 2];
    std::uint8_t bits[kBlock / 8 + 8] = {};
    for (std::size_t p = 0; p < kParts; ++p) {
      hn::StoreMaskBits(d8, escaped[p], bits + p * kBytes / 8);
      for (std::size_t half = 0; half < 2; ++half) hn::Store(magnitudes[half][p], d16, values[half] + p * kWords);
    }
    for (auto left = load_le<std::uint64_t>(reinterpret_cast<const std::byte*>(bits)); left != 0; left &= left - 1) {
      const auto lane = static_cast<unsigned>(std::countr_zero(left));
      values[lane % 2][lane / 2] = words_.next();
    }
    for (std::size_t p = 0; p < kParts; ++p)
      for (std::size_t half = 0; half < 2; ++half) magnitudes[half][p] = hn::Load(d16, values[half] + p * kWords);
  }

  HWY_INLINE VU8 context_of(const std::uint8_t* above, const std::uint8_t* top) const {
    VU8 index = activity_index(above, top);
    if (unrest_ != 0) index = joined(index, hn::LoadU(DU8(), above + unrest_));
    return of_64(context_, index);
  }

  const Plane& plane_;
  const Coded& coded_;
  std::ptrdiff_t unrest_ = 0;
  Words words_;
  std::uint64_t group_ = 0;
  bool wide_ = false;  // a token begins above 255
  bool has_low_bits_;
  unsigned activity_shift_;
  HWY_ALIGN std::uint32_t states_[kMostLanes] = {};
  HWY_ALIGN std::uint8_t context_[kActivities] = {};
  HWY_ALIGN std::uint8_t first_[64] = {}, second_[64] = {}, third_[64] = {};
  HWY_ALIGN std::uint8_t frequency_[128], start_[128], raw_bits_[128], base_low_[128], base_high_[128];
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
