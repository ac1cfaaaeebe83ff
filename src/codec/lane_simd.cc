// Decoding goes in groups of rows, twice as many as a vector has 16-bit lanes:
//  1. The residuals of each row, 64 at a time: their contexts depend on the rows above only, so that nothing in a row
//  waits
//     for its neighbour but for its own state. Those of even and of odd columns are kept apart.
//  2. The values of all rows, row l two values behind row l - 1: N, NE and NW are then the vectors of the last steps,
//  moved up
//     by one lane.
#include "codec/lane_simd.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "codec/lane_gaps.h"
#include "codec/lane_reference.h"
#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// ------------------------------------------------------------------------------------------------- residuals

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
#if HWY_TARGET == HWY_AVX2
#pragma GCC unroll 1  // both parts at once are too much for its registers
#endif
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

// Takes low bits of consecutive pixels.
class LowBits {
 public:
  LowBits(ByteSpan bytes, unsigned bits) : bytes_(bytes), bits_(bits) {}
  unsigned next() {
    while (held_ < bits_) {
      window_ |= std::to_integer<std::uint32_t>(bytes_[at_++]) << held_;
      held_ += 8;
    }
    const unsigned value = window_ & ((1u << bits_) - 1);
    window_ >>= bits_;
    held_ -= bits_;
    return value;
  }

 private:
  ByteSpan bytes_;
  unsigned bits_, held_ = 0;
  std::uint32_t window_ = 0;
  std::size_t at_ = 0;
};

// ---------------------------------------------------------------------------------------------------- values

// A wave: lane l works on rows l, l + kLanes, l + 2 kLanes ... one behind the other, at step t on what stands at t - 2
// l of them. Two of them go side by side, for a step is a long chain: the second one works on the rows behind those of
// the first, and kLag steps later.
class Waves {
 public:
  static constexpr std::size_t kRows = HWY_MAX_BYTES / 2;  // of a wave
  static constexpr std::size_t kLanes = 2 * kRows;
  static constexpr std::ptrdiff_t kSkew = 2 * (kRows - 1);  // steps that the last row is behind the first
  static constexpr std::ptrdiff_t kSteps = 16;              // done at a time
  static constexpr std::ptrdiff_t kAhead =
      2 * kSteps + 2;  // rows before a wave are raised that far in front of it: stores take their time
  static constexpr std::ptrdiff_t kLag = kSkew + kAhead;
  static constexpr std::ptrdiff_t kGap = 4;  // steps between two rows of a lane, at least
  static constexpr std::size_t kMargin =
      4 * kRows + 32;  // in front of and behind the rows of a lane: may be read and written

  // Steps from a row to the next one of its lane, an even number: the last lane must be done with what the first one
  // goes on from.
  static std::size_t period(std::uint32_t columns) {
    const auto least = static_cast<std::size_t>(kLag + kSkew + kSteps + kAhead + kGap);
    return (std::max<std::size_t>(columns + kGap, least) + 1) / 2 * 2;
  }

  // `stride`: from a lane's first row to that of the next one. `before`: memory for the rows before each wave.
  Waves(const Predictor& predictor, std::uint32_t columns, std::size_t stride, std::vector<std::int16_t>& before)
      : predictor_(predictor),
        columns_(columns),
        period_(static_cast<std::ptrdiff_t>(period(columns))),
        stride_(stride),
        before_stride_(stride + static_cast<std::size_t>(period_)) {
    if (before.size() < 4 * before_stride_ + 2 * kMargin) before.resize(4 * before_stride_ + 2 * kMargin);
    for (std::size_t i = 0; i < 2; ++i) waves_[i].before = before.data() + 2 * i * before_stride_ + kMargin;
  }

  // The two rows before the first one, kMargin values more on both sides of each.
  HWY_INLINE void set_before(const std::int16_t* top, const std::int16_t* above) {
    const auto end = static_cast<std::ptrdiff_t>(columns_) + kGap;
    for (std::ptrdiff_t x = -kGap; x < end; x += kRows)
      predictor_.raise() < 0 ? raise<true>(top, above, waves_[0], x, x) : raise<false>(top, above, waves_[0], x, x);
  }

  // `even`, `odd`: residuals of those columns; `values`: column 0 of the first lane's first row. REQUIRES: rows > 0.
  HWY_INLINE void run(const std::int16_t* even, const std::int16_t* odd, std::int16_t* values, std::size_t rows) {
    for (std::size_t i = 0; i < 2; ++i) {
      waves_[i].even = even + i * kRows * half_stride();
      waves_[i].odd = odd + i * kRows * half_stride();
      waves_[i].values = values + i * kRows * stride_;
      waves_[i].at = Neighbourhood();
      waves_[i].end = end_of(i, rows);
    }
    if (predictor_.raise() < 0)
      run_as<true>();
    else
      run_as<false>();
  }

 private:
  static constexpr std::size_t kBlocks = HWY_MAX_BYTES / 16;  // of 8 lanes

  struct Wave {
    const std::int16_t *even, *odd;
    std::int16_t *values, *before;  // the latter: the two rows before, raised
    std::ptrdiff_t end;             // of its steps
    Neighbourhood at;
    HWY_ALIGN std::int16_t residuals[kSteps][kRows];
  };

  // Steps until the last of `rows` rows that are of this wave is done.
  std::ptrdiff_t end_of(std::size_t wave, std::size_t rows) const {
    const std::size_t first = wave * kRows;
    const std::size_t slots = rows > first ? (rows - first + kLanes - 1) / kLanes : 0;
    if (slots == 0) return -kSteps;
    const std::size_t lanes = std::min(kRows, rows - first - (slots - 1) * kLanes);
    const auto of_last = static_cast<std::ptrdiff_t>(2 * (lanes - 1)),
               of_full = slots > 1 ? kSkew - period_ : of_last;  // the rows before fill all lanes
    return static_cast<std::ptrdiff_t>(slots - 1) * period_ + std::max(of_last, of_full) + columns_ + 1;
  }

  template <bool kSink>
  HWY_INLINE void run_as() {
    constexpr std::ptrdiff_t kChunk = std::max(kSteps, static_cast<std::ptrdiff_t>(kRows));
    const std::ptrdiff_t end = std::max(waves_[0].end, waves_[1].end + kLag);
    const std::int16_t *top = last_lanes(waves_[1]), *above = top + stride_;
    for (std::ptrdiff_t t = -kSteps; t < end; t += kSteps) {
      const std::ptrdiff_t second = t - kLag;
      const bool first_works = t < waves_[0].end, second_works = second >= -kSteps && second < waves_[1].end;
      if (second_works) {
        const std::int16_t* const first_top = last_lanes(waves_[0]);
        const std::ptrdiff_t from = second == -kSteps ? -2 * kSteps : second + kAhead - kChunk;
        for (std::ptrdiff_t x = from; x < second + kAhead; x += kRows)
          raise<kSink>(first_top, first_top + stride_, waves_[1], x, x);
      }
      if (first_works && second_works) {
        if (inside(t) && inside(second))
          steps<2, false, kSink>(waves_, t, second);
        else
          steps<2, true, kSink>(waves_, t, second);
      } else if (first_works) {
        inside(t) ? steps<1, false, kSink>(waves_, t, 0) : steps<1, true, kSink>(waves_, t, 0);
      } else if (second_works) {
        inside(second) ? steps<1, false, kSink>(waves_ + 1, second, 0) : steps<1, true, kSink>(waves_ + 1, second, 0);
      }
      if (second_works) {  // the last lanes' rows stand before the next ones of the first
        const std::ptrdiff_t done = second + kSteps - kSkew;
        for (std::ptrdiff_t x = std::max(done - kChunk, 1 - kGap); x < done; x += kRows)
          raise<kSink>(top, above, waves_[0], x, x + period_);
      }
    }
  }

  // Where the lanes stand that the next wave goes on from.
  const std::int16_t* last_lanes(const Wave& wave) const { return wave.values + (kRows - 2) * stride_; }
  // Whether no lane starts or ends a row in the steps from t on.
  bool inside(std::ptrdiff_t t) const {
    const std::ptrdiff_t column = column_of(t);
    return t >= 0 && column >= kSkew && column + kSteps <= columns_;
  }
  // Of the first lane.
  std::ptrdiff_t column_of(std::ptrdiff_t t) const { return (t + period_) % period_; }

  // A part of the two rows before a wave, from `x` of those rows to `to`.
  template <bool kSink>
  HWY_INLINE void raise(const std::int16_t* top, const std::int16_t* above, const Wave& wave, std::ptrdiff_t x,
                        std::ptrdiff_t to) {
    const D16 d;
    hn::StoreU(predictor_.raised<kSink>(hn::LoadU(d, top + x)), d, wave.before + to);
    hn::StoreU(predictor_.raised<kSink>(hn::LoadU(d, above + x)), d, wave.before + before_stride_ + to);
  }

  // Rows of a block of 8 columns each become steps, and back: lane 8 b + i of vector s is value s of vector i, block b.
  HWY_INLINE static void transpose(V16* v) {
    V16 a[8], b[8];
    shuffle(v, a);
    shuffle(a, b);
    shuffle(b, v);
  }
  HWY_INLINE static void shuffle(const V16* from, V16* to) {
    const D16 d;
    for (int i = 0; i < 4; ++i) {
      to[2 * i] = hn::InterleaveLower(d, from[i], from[i + 4]);
      to[2 * i + 1] = hn::InterleaveUpper(d, from[i], from[i + 4]);
    }
  }

  std::ptrdiff_t offset(std::size_t row, std::ptrdiff_t t) const {
    return static_cast<std::ptrdiff_t>(row * stride_) + t - 2 * static_cast<std::ptrdiff_t>(row);
  }
  std::size_t half_stride() const { return stride_ / 2; }

  // 128 bits of each of 8, 16, 32 rows that belong to one vector.
  HWY_INLINE V16 pieces(const std::int16_t* first) const {
    const D16 d;
    const hn::Full128<std::int16_t> d128;
    const std::ptrdiff_t step = 8 * (static_cast<std::ptrdiff_t>(half_stride()) - 1);
#if HWY_MAX_BYTES == 16
    static_cast<void>(step), static_cast<void>(d128);
    return hn::LoadU(d, first);
#else
    const hn::Full256<std::int16_t> d256;
    const auto two = [&](const std::int16_t* from)
                         HWY_ATTR { return hn::Combine(d256, hn::LoadU(d128, from + step), hn::LoadU(d128, from)); };
#if HWY_MAX_BYTES == 32
    static_cast<void>(d);
    return two(first);
#else
    return hn::Combine(d, two(first + 2 * step), two(first));
#endif
#endif
  }

  // Residuals of every other column from t on, of each row two columns further to the left than of the one before.
  HWY_INLINE void gather(std::ptrdiff_t t, const std::int16_t* rows, std::int16_t (*out)[kRows]) const {
    const D16 d;
    V16 v[8];
    for (std::size_t i = 0; i < 8; ++i)
      v[i] = pieces(rows + static_cast<std::ptrdiff_t>(i * half_stride()) + t - static_cast<std::ptrdiff_t>(i));
    transpose(v);
    for (std::size_t i = 0; i < 8; ++i) hn::Store(v[i], d, out[2 * i]);
  }
  HWY_INLINE void scatter(std::ptrdiff_t t, const std::int16_t (*from)[kRows], std::int16_t* values) const {
    const D16 d;
    const hn::Full128<std::int16_t> d128;
    HWY_ALIGN std::int16_t rows[kRows];
    V16 v[8];
    for (std::size_t i = 0; i < 8; ++i) v[i] = hn::Load(d, from[i]);
    transpose(v);
    for (std::size_t i = 0; i < 8; ++i) {
      hn::Store(v[i], d, rows);
      for (std::size_t b = 0; b < kBlocks; ++b)
        hn::StoreU(hn::Load(d128, rows + 8 * b), d128, values + offset(8 * b + i, t));
    }
  }

  template <int kWaves, bool kEdges, bool kSink>
  HWY_NOINLINE void steps(Wave* waves, std::ptrdiff_t first_t, std::ptrdiff_t second_t) {
    const D16 d;
    gather(first_t / 2, waves[0].even, waves[0].residuals);
    gather(first_t / 2, waves[0].odd, waves[0].residuals + 1);
    if constexpr (kWaves == 2) {
      gather(second_t / 2, waves[1].even, waves[1].residuals);
      gather(second_t / 2, waves[1].odd, waves[1].residuals + 1);
    }
    // Their neighbourhoods stay in registers, as far as they go.
    Neighbourhood first = waves[0].at, second = waves[kWaves - 1].at;
    [[maybe_unused]] const std::ptrdiff_t first_column = kEdges ? column_of(first_t) : 0,
                                          second_column = kEdges ? column_of(second_t) : 0;
    const auto step = [&](Neighbourhood& at, Wave& wave, std::ptrdiff_t t, [[maybe_unused]] std::ptrdiff_t column,
                          int s) HWY_ATTR {
      const std::int16_t *top = wave.before + t + s + 1, *above = top + before_stride_;
      at.move();
      at.nne = moved_up(at.nw, top);  // the NE of the lane before, two steps ago, is its NW now
      at.ne = moved_up(at.w, above);
      at.set_differences();
      V16 value = hn::Add(predictor_.predict<kSink>(at), hn::Load(d, wave.residuals[s]));
      V16 raised = predictor_.raised<kSink>(value);
      if constexpr (kEdges) {  // in front of a row stands what is to the north-east of there; behind it, its last value
        const std::ptrdiff_t behind = column + s - columns_;
        const auto front = lane_at(column + s + 2), past = lane_at(behind < 0 ? behind + period_ : behind);
        raised = hn::IfThenElse(past, at.w, hn::IfThenElse(front, at.ne, raised));
        value = hn::IfThenElse(hn::Or(past, front), predictor_.lowered<kSink>(raised), value);
      }
      hn::Store(value, d, wave.residuals[s]);
      at.ww = at.w;
      at.w = raised;
    };
    for (int s = 0; s < kSteps; ++s) {
      step(first, waves[0], first_t, first_column, s);
      if constexpr (kWaves == 2) step(second, waves[1], second_t, second_column, s);
    }
    waves[0].at = first;
    scatter(first_t, waves[0].residuals, waves[0].values);
    scatter(first_t + 8, waves[0].residuals + 8, waves[0].values);
    if constexpr (kWaves == 2) {
      waves[1].at = second;
      scatter(second_t, waves[1].residuals, waves[1].values);
      scatter(second_t + 8, waves[1].residuals + 8, waves[1].values);
    }
  }
  // The lane l with 2 l or 2 l + 1 steps, modulo the period.
  HWY_INLINE hn::Mask<D16> lane_at(std::ptrdiff_t steps) const {
    const D16 d;
    return hn::Eq(hn::Iota(d, 0), hn::Set(d, static_cast<std::int16_t>(std::min<std::ptrdiff_t>(
                                                 (steps >= period_ ? steps - period_ : steps) / 2, kRows))));
  }

  // Each lane's value to the next one; the first lane takes one from a row before the group.
  HWY_INLINE static V16 moved_up(V16 vector, const std::int16_t* first) {
    const D16 d;
#if HWY_MAX_BYTES == 64
    HWY_ALIGN static constexpr std::int16_t kIndices[32] = {32, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
                                                            10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                                            21, 22, 23, 24, 25, 26, 27, 28, 29, 30};
    return hn::TwoTablesLookupLanes(d, vector, hn::LoadU(d, first), hn::IndicesFromVec(d, hn::Load(d, kIndices)));
#else
    const V16 before = hn::LoadU(d, first - (kRows - 1));
#if HWY_MAX_BYTES == 32
    return hn::CombineShiftRightBytes<14>(d, vector, hn::ConcatLowerUpper(d, vector, before));
#else
    return hn::CombineShiftRightBytes<14>(d, vector, before);
#endif
#endif
  }

  const Predictor& predictor_;
  std::ptrdiff_t columns_, period_;
  std::size_t stride_, before_stride_;
  Wave waves_[2];
};

class PlaneDecoder {
 public:
  PlaneDecoder(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
               const ReferencePlane* reference)
      : reference_(reference),
        size_(size),
        low_bits_(plane.low_bits),
        low_(coded.low_bits, plane.low_bits),
        predictor_(plane),
        reader_(plane, coded, buffers.words),
        gaps_(plane.gaps),
        gap_table_(plane.gaps, plane.low),
        few_gaps_(plane.gaps.size() <= kFewGaps ? plane.gaps.size() : 0),
        low_value_(static_cast<std::uint16_t>(plane.low)),
        centre_(static_cast<std::uint16_t>(plane.centre())),
        out_(out),
        before_(buffers.before),
        period_(Waves::period(size.columns)),
        slots_(std::clamp<std::size_t>(kSteps / period_, 1, (size.rows + Waves::kLanes - 1) / Waves::kLanes)),
        stride_((slots_ * period_ + 2 * Waves::kMargin + kMostLanes + 63) / 64 * 64) {
    const std::size_t row = (size.columns + 2 * Waves::kMargin + kMostLanes + 63) / 64 * 64;
    if (plane.correction) correction_.emplace(*plane.correction);
    reserve(buffers.residuals, stride_ * Waves::kLanes + 4 * Waves::kMargin);
    reserve(buffers.values, stride_ * Waves::kLanes + 2 * Waves::kMargin);
    reserve(buffers.rows, 2 * row);
    buffers.activities.assign(row * 4, 0);
    buffers.corrections.resize(size.columns + ReferencePlane::kRight);
    corrections_ = buffers.corrections.data();
    even_ = buffers.residuals.data() + Waves::kMargin;
    odd_ = even_ + stride_ / 2 * Waves::kLanes + Waves::kMargin;
    values_ = buffers.values.data() + Waves::kMargin;
    for (unsigned i = 0; i < 2; ++i) rows_[i] = buffers.rows.data() + i * row + Waves::kMargin;
    for (unsigned i = 0; i < 3; ++i) activities_[i] = buffers.activities.data() + i * row + Waves::kMargin;
    unrest_ = buffers.activities.data() + 3 * row + Waves::kMargin;
  }

  Status run() {
    DICUBE_TRY(first_row());
    Waves waves(predictor_, size_.columns, stride_, before_);
    const auto group = static_cast<std::uint32_t>(slots_ * Waves::kLanes);
    for (std::uint32_t y = 1; y < size_.rows; y += group) {
      const std::uint32_t rows = std::min(group, size_.rows - y);
      for (std::uint32_t i = 0; i < rows; ++i)
        DICUBE_TRY(read_corrected(y + i, even_ + place_of(i) / 2, odd_ + place_of(i) / 2));
      waves.set_before(rows_[0], rows_[1]);
      waves.run(even_, odd_, values_, rows);
      for (std::uint32_t i = 0; i < rows; ++i) copy_out(y + i, values_ + place_of(i));
      for (std::uint32_t i = 0; i < 2 && rows == group; ++i) {
        const std::int16_t* from = values_ + place_of(rows - 2 + i);
        std::copy(from - Waves::kGap, from + size_.columns + Waves::kGap, rows_[i] - Waves::kGap);
      }
    }
    return reader_.check_end();
  }

 private:
  static constexpr std::size_t kSteps =
      2560;  // that two waves go on for, about: much more than they take to start and to end, and still in the cache

  static void reserve(std::vector<std::int16_t>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
  }
  // Of a row of the group.
  std::size_t place_of(std::uint32_t row) const {
    return row % Waves::kLanes * stride_ + row / Waves::kLanes * period_;
  }

  // Every value is expected to be the one before.
  Status first_row() {
    DICUBE_TRY(read_residuals(even_, odd_));
    std::uint16_t value = 0;
    std::int16_t* row = rows_[1];
    for (std::uint32_t x = 0; x < size_.columns; ++x) {
      value = static_cast<std::uint16_t>(value + static_cast<std::uint16_t>(x % 2 == 0 ? even_[x / 2] : odd_[x / 2]));
      row[x] = static_cast<std::int16_t>(value);
    }
    std::fill(row - Waves::kGap, row, row[0]);
    std::fill(row + size_.columns, row + size_.columns + Waves::kGap, row[size_.columns - 1]);
    std::copy(row - Waves::kGap, row + size_.columns + Waves::kGap,
              rows_[0] - Waves::kGap);  // the row above the first is the first
    copy_out(0, row);
    return {};
  }

  // Residuals with what the reference adds to them: the waves need not know of it.
  Status read_corrected(std::uint32_t y, std::int16_t* even, std::int16_t* odd) {
    if (!correction_) return read_residuals(even, odd);
    const D16 d;
    correct_row(*correction_, *reference_, y, corrections_, unrest_);
    reader_.set_unrest(unrest_ - activities_[1]);
    DICUBE_TRY(read_residuals(even, odd));
    for (std::size_t x = 0; x < size_.columns; x += 2 * hn::Lanes(d)) {
      V16 of_even, of_odd;
      hn::LoadInterleaved2(d, corrections_ + x, of_even, of_odd);
      hn::StoreU(hn::Add(hn::LoadU(d, even + x / 2), of_even), d, even + x / 2);
      hn::StoreU(hn::Add(hn::LoadU(d, odd + x / 2), of_odd), d, odd + x / 2);
    }
    return {};
  }

  Status read_residuals(std::int16_t* even, std::int16_t* odd) {
    DICUBE_TRY(reader_.read_row(size_.columns, activities_[1], activities_[0], activities_[2], even, odd));
    std::rotate(activities_, activities_ + 1, activities_ + 3);
    if (low_bits_ == 0) return {};
    for (std::uint32_t x = 0; x < size_.columns; ++x) {
      std::int16_t& place = x % 2 == 0 ? even[x / 2] : odd[x / 2];
      const auto magnitude =
          static_cast<std::uint16_t>(unsigned{static_cast<std::uint16_t>(place)} << low_bits_ | low_.next());
      place = static_cast<std::int16_t>((magnitude >> 1) ^ (magnitude & 1 ? 0xFFFFu : 0u));
    }
    return {};
  }

  void copy_out(std::uint32_t y, const std::int16_t* row) {
    std::uint16_t* out = out_ + std::size_t{y} * size_.columns;
    const auto* from = reinterpret_cast<const std::uint16_t*>(row);
    const auto whole_vectors = [&] {
      static_assert(kFewGaps == 4);
      switch (few_gaps_) {
        case 0: return open_gaps<0>(from, out);
        case 1: return open_gaps<1>(from, out);
        case 2: return open_gaps<2>(from, out);
        case 3: return open_gaps<3>(from, out);
        default: return open_gaps<4>(from, out);
      }
    };
    std::size_t x = whole_vectors();
    const std::size_t opened = few_gaps_ > 0 ? x : 0;
    for (; x < size_.columns; ++x) out[x] = static_cast<std::uint16_t>(from[x] + centre_);
    if (!gaps_.empty()) gap_table_.open(out + opened, size_.columns - opened);
  }

  // The values of as many whole vectors as a row has, with so many gaps. Returns how many values that are.
  template <std::size_t kGaps>
  std::size_t open_gaps(const std::uint16_t* from, std::uint16_t* out) const {
    const DU16 d;
    const VU16 centre = hn::Set(d, centre_), low_value = hn::Set(d, low_value_);
    VU16 starts[kGaps + 1], lengths[kGaps + 1];
    for (std::size_t gap = 0; gap < kGaps; ++gap) {
      starts[gap] = hn::Set(d, gaps_[gap].start);
      lengths[gap] = hn::Set(d, gaps_[gap].length);
    }
    std::size_t x = 0;
    for (; x + hn::Lanes(d) <= size_.columns; x += hn::Lanes(d)) {
      VU16 value = hn::Add(hn::LoadU(d, from + x), centre);
      const VU16 above = hn::Sub(value, low_value);
      for (std::size_t gap = 0; gap < kGaps; ++gap)
        value = hn::Add(value, hn::IfThenElseZero(hn::Ge(above, starts[gap]), lengths[gap]));
      hn::StoreU(value, d, out + x);
    }
    return x;
  }

  std::optional<CorrectionTables> correction_;
  const ReferencePlane* reference_;
  std::int16_t* corrections_;
  std::uint8_t* unrest_;
  Size size_;
  unsigned low_bits_;
  LowBits low_;
  Predictor predictor_;
  ResidualReader reader_;
  const Gaps& gaps_;
  GapTable gap_table_;
  std::size_t few_gaps_;  // that are opened in vectors
  std::uint16_t low_value_, centre_;
  std::uint16_t* out_;
  std::vector<std::int16_t>& before_;
  std::size_t period_, slots_, stride_;  // rows of a lane stand period_ apart, lanes stride_
  std::int16_t *even_, *odd_, *values_;
  std::int16_t* rows_[2];  // the two before a group
  std::uint8_t* activities_[3];
};

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
                      const ReferencePlane* reference) {
  return PlaneDecoder(plane, size, coded, buffers, out, reference).run();
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(decode_vectors);

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
                      const ReferencePlane* reference) {
  return HWY_DYNAMIC_DISPATCH(decode_vectors)(plane, size, coded, buffers, out, reference);
}

}  // namespace dicube::codec::lane
#endif
