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
#include <utility>
#include <vector>

#include "codec/lane_tokens-inl.h"

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
  std::size_t used() const { return static_cast<std::size_t>(at_ - begin_); }
  std::size_t count() const { return count_; }
  bool overrun() const { return used() > count_; }

 private:
  const std::uint16_t *begin_, *at_;
  std::size_t count_;
};

// Reads residuals block by block.
class ResidualReader {
 public:
  ResidualReader(const Plane& plane, const Coded& coded, std::vector<std::uint16_t>& words)
      : plane_(plane),
        coded_(coded),
        words_(coded.words, words),
        tokens_(plane),
        has_low_bits_(plane.low_bits > 0),
        activity_shift_(plane.activity_shift) {
    for (unsigned i = 0; i < kActivities; ++i)
      context_[i] = static_cast<std::uint8_t>(std::upper_bound(plane.thresholds.begin(), plane.thresholds.end(), i) -
                                              plane.thresholds.begin());
    for (unsigned lane = 0; lane < plane.lanes(); ++lane)
      states_[place_of(lane)] = load_le<std::uint32_t>(coded.states.data() + 4 * lane);
  }

  // A row's magnitudes, or, without low bits, its residuals: those of even and odd columns apart. `above` and `top`:
  // activities of the two rows before, `own` of this one. All may be written up to kMostLanes behind their end.
  HWY_INLINE Status read_row(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                             std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    if (has_few_lanes())
      tokens_.is_wide() ? read_few_row<true>(columns, above, top, own, even, odd)
                        : read_few_row<false>(columns, above, top, own, even, odd);
    else
      read_blocks_of_row(columns, above, top, own, even, odd);
    if (words_.overrun()) return fail(ErrorClass::kCodec, "lane stream: its {} words end too early", words_.count());
    return {};
  }

  // The unrest around the next rows, in the reference: bytes that many behind `above`; 0: none.
  void set_unrest(std::ptrdiff_t behind_above) { unrest_ = behind_above; }

  Status check_end() const {
    if (words_.used() != words_.count())
      return fail(ErrorClass::kCodec, "lane stream: {} words used of {}", words_.used(), words_.count());
    for (unsigned lane = 0; lane < plane_.lanes(); ++lane)
      if (const std::uint32_t state = states_[place_of(lane)]; state != kLeastState)
        return fail(ErrorClass::kCodec, "lane stream: a state ends at {:#x}, {:#x} expected", state, kLeastState);
    return {};
  }

 private:
  // Lanes of a plane of small frames: a dword each, in the order in which words are taken.
  static constexpr std::size_t kFew = kLanes[0];
  static constexpr std::size_t kFewVectors = kFew / kDwords;
  HWY_ALIGN static constexpr std::uint8_t kFewPlaces[kFew] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  bool has_few_lanes() const { return plane_.lanes() == kFew; }
  std::size_t place_of(std::size_t lane) const { return has_few_lanes() ? kFewPlaces[lane] : place(lane); }

  template <bool kWide>
  HWY_NOINLINE void read_few_row(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                                 std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    const DU32 d32;
    VU32 states[kFewVectors];
    for (std::size_t v = 0; v < kFewVectors; ++v) states[v] = hn::Load(d32, states_ + v * kDwords);
    std::uint32_t x = 0;
    for (; columns - x >= kFew && !words_.overrun(); x += kFew, ++group_)
      if (is_zero_group())
        put_zeros(kFew, own + x, even + x / 2, odd + x / 2);
      else
        read_few<true, kWide>(states, kFew, above + x, top + x, own + x, even + x / 2, odd + x / 2);
    if (x < columns && !words_.overrun()) {
      if (is_zero_group())
        put_zeros(columns - x, own + x, even + x / 2, odd + x / 2);
      else
        read_few<false, kWide>(states, columns - x, above + x, top + x, own + x, even + x / 2, odd + x / 2);
      ++group_;
    }
    for (std::size_t v = 0; v < kFewVectors; ++v) hn::Store(states[v], d32, states_ + v * kDwords);
  }

  // As words: of the first 8 of the lanes in their order, and of the others.
  HWY_INLINE static auto magnitudes_of(const FewTokens (&tokens)[kFewVectors]) {
    const hn::Full128<std::uint16_t> d;
    using Half = hn::Vec<hn::Full128<std::uint16_t>>;
#if HWY_MAX_BYTES == 64
    const auto words = hn::TruncateTo(hn::Full256<std::uint16_t>(), tokens[0].magnitudes);
    return std::pair<Half, Half>(hn::LowerHalf(d, words), hn::UpperHalf(d, words));
#elif HWY_MAX_BYTES == 32
    return std::pair<Half, Half>(hn::TruncateTo(d, tokens[0].magnitudes), hn::TruncateTo(d, tokens[1].magnitudes));
#else
    return std::pair<Half, Half>(hn::OrderedTruncate2To(d, tokens[0].magnitudes, tokens[1].magnitudes),
                                 hn::OrderedTruncate2To(d, tokens[2].magnitudes, tokens[3].magnitudes));
#endif
  }

  template <bool kAll, bool kWide>
  HWY_INLINE void read_few(VU32 (&states)[kFewVectors], std::size_t count, const std::uint8_t* above,
                           const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    const hn::Full128<std::uint8_t> d8;
    const hn::Full128<std::uint16_t> d16;
    const DU32 d32;
    const hn::Rebind<std::uint8_t, DU32> byte_each;
    HWY_ALIGN std::uint8_t contexts[kFew];
    hn::Store(hn::TableLookupBytes(hn::ResizeBitCast(d8, context_of(d8, above, top)), hn::Load(d8, kFewPlaces)), d8,
              contexts);
    const std::uint16_t* words_at = words_.at();
    unsigned escaped = 0;
    FewTokens all_tokens[kFewVectors];
    for (std::size_t v = 0; v < kFewVectors; ++v)
      all_tokens[v] =
          tokens_.template read_few<kWide>(states[v], hn::PromoteTo(d32, hn::Load(byte_each, contexts + v * kDwords)));
    for (std::size_t v = 0; v < kFewVectors; ++v) {
      FewTokens& tokens = all_tokens[v];
      auto short_of = hn::Lt(tokens.rest, hn::Set(d32, kLeastState));
      const auto there = hn::Lt(hn::PromoteTo(d32, hn::Load(byte_each, kFewPlaces + v * kDwords)),
                                hn::Set(d32, static_cast<std::uint32_t>(count)));
      if constexpr (!kAll) {
        short_of = hn::And(short_of, there);
        tokens.escaped = hn::And(tokens.escaped, there);
      }
      const VU32 words = take_words(short_of, words_at);
      const VU32 after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(tokens.rest), words), tokens.rest);
      states[v] = kAll ? after : hn::IfThenElse(there, after, states[v]);
      escaped |= static_cast<unsigned>(hn::BitsFromMask(d32, tokens.escaped)) << v * kDwords;
    }
    words_.move_to(words_at + std::popcount(escaped));
    const auto [low, high] = magnitudes_of(all_tokens);
    put<kAll>(hn::InterleaveLower(d16, low, high), hn::InterleaveUpper(d16, low, high), count, own, even, odd);
    if (HWY_LIKELY(escaped == 0)) return;
    Escapes escapes{0, words_at};
    for (unsigned lane = 0; lane < kFew; ++lane)
      escapes.lanes |= std::uint64_t{escaped >> kFewPlaces[lane] & 1} << lane;
    put_escapes(escapes, own, even, odd);
  }

  HWY_NOINLINE void read_blocks_of_row(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                                       std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    std::uint32_t x = plane_.lanes() == kBlock ? read_groups_of<kBlock>(columns, above, top, own, even, odd)
                                               : read_groups_of<kMostLanes>(columns, above, top, own, even, odd);
    if (x == columns || words_.overrun()) return;
    const std::uint32_t left = columns - x;
    if (is_zero_group())
      put_zeros(left, own + x, even + x / 2, odd + x / 2);
    else
      for (std::uint32_t i = 0; i < left; i += kBlock)
        read_last_block(states_ + i, left - i, above + x + i, top + x + i, own + x + i, even + (x + i) / 2,
                        odd + (x + i) / 2);
    ++group_;
  }
  // Of a row's last group, which may end in it.
  HWY_INLINE void read_last_block(std::uint32_t* from, std::size_t count, const std::uint8_t* above,
                                  const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    States<1> states(from);
    if (count >= kBlock)
      read_blocks<kBlock>(states, count, above, top, own, even, odd);
    else if (count > kBytes)
      read_blocks<kBlock - 1>(states, count, above, top, own, even, odd);
    else
      read_blocks<std::min<std::size_t>(kBytes, kBlock - 1)>(states, count, above, top, own, even, odd);
    states.put_back();
  }

  // Groups that the row does not end in; one block of two waits for itself most of the time. Their states stay in
  // registers where these are large enough. Returns where the last group ends.
  template <std::uint32_t kGroup>
  HWY_INLINE std::uint32_t read_groups_of(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                                          std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    States<kGroup / kBlock> states(states_);
    std::uint32_t x = 0;
    for (; columns - x >= kGroup && !words_.overrun(); x += kGroup, ++group_)
      if (is_zero_group())
        put_zeros(kGroup, own + x, even + x / 2, odd + x / 2);
      else
        read_blocks<kBlock>(states, kBlock, above + x, top + x, own + x, even + x / 2, odd + x / 2);
    states.put_back();
    return x;
  }

  bool is_zero_group() const {
    return plane_.zero_flags && (coded_.zero_flags[group_ / 8] >> (group_ % 8) & std::byte{1}) != std::byte{0};
  }
  static void put_zeros(std::uint32_t count, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    std::fill_n(own, count, std::uint8_t{0});
    std::fill_n(even, (count + 1) / 2, std::int16_t{0});
    std::fill_n(odd, (count + 1) / 2, std::int16_t{0});
  }

  // kMost: how many values of a block there may be. All of them, kBlock, are there; of less only the first `count` are.
  template <std::size_t kMost, std::size_t kBlocks>
  HWY_INLINE void read_blocks(States<kBlocks>& states, std::size_t count, const std::uint8_t* above,
                              const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    if (tokens_.is_wide()) return read_blocks_as<kMost, true>(states, count, above, top, own, even, odd);
    read_blocks_as<kMost, false>(states, count, above, top, own, even, odd);
  }
  template <std::size_t kMost>
  static constexpr std::size_t kUsed = (kMost + kBytes - 1) / kBytes;  // parts of a block that have values

  // Lanes of a block whose tokens are escapes, and the words that are their magnitudes.
  struct Escapes {
    std::uint64_t lanes;
    const std::uint16_t* words;
  };

  // Of a block: words to the states that are short of them. Passes over those of its escapes.
  template <std::size_t kMost, std::size_t kBlocks>
  HWY_INLINE Escapes read_words(States<kBlocks>& states, std::size_t block, std::size_t count, const Tokens& tokens) {
    const DU8 d8;
    const DU32 d32;
    const std::uint16_t* words_at =
        words_.at();  // not a member: a vector that is stored might change those for all that the compiler knows
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t p = 0; p < kUsed<kMost>; ++p) {
        const VU32 rest = tokens.rests[j][p];
        auto short_of = hn::Lt(rest, hn::Set(d32, kLeastState));
        [[maybe_unused]] const std::size_t before = j + p * kBytes,  // lanes that are not there keep their states
            here = count > before ? (count - before + 3) / 4 : 0;
        if constexpr (kMost < kBlock) short_of = hn::And(short_of, leading(d32, here));
        const VU32 words = take_words(short_of, words_at);
        VU32 after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), words), rest);
        if constexpr (kMost < kBlock) after = hn::IfThenElse(leading(d32, here), after, states.get(block, j, p));
        states.set(block, j, p, after);
      }
    Escapes escapes = {0, words_at};
    for (std::size_t p = 0; p < kUsed<kMost>; ++p)
      escapes.lanes |= hn::BitsFromMask(d8, tokens.escaped[p]) << p * kBytes;
    if constexpr (kMost < kBlock) escapes.lanes &= (std::uint64_t{1} << count) - 1;
    words_.move_to(words_at + std::popcount(escapes.lanes));
    return escapes;
  }

  template <std::size_t kMost, bool kWide, std::size_t kBlocks>
  HWY_INLINE void read_blocks_as(States<kBlocks>& states, std::size_t count, const std::uint8_t* above,
                                 const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    VU8 contexts[kBlocks][kParts];
    for (std::size_t b = 0; b < kBlocks; ++b)
      for (std::size_t p = 0; p < kUsed<kMost>; ++p) {
        const std::size_t at = b * kBlock + p * kBytes;
        contexts[b][p] = context_of(DU8(), above + at, top + at);
      }
    Tokens tokens[kBlocks];
    tokens_.template read<kWide, kUsed<kMost>>(states, contexts, tokens);
    Escapes escapes[kBlocks];
    static_assert(kBlocks <= 2);  // no loop: compilers would keep all in memory for it
    escapes[0] = read_words<kMost>(states, 0, count, tokens[0]);
    if constexpr (kBlocks == 2) escapes[1] = read_words<kMost>(states, 1, count, tokens[1]);
    for (std::size_t b = 0; b < kBlocks; ++b) {
      const std::size_t at = b * kBlock;
      for (std::size_t p = 0; p < kUsed<kMost>; ++p)
        put<kMost == kBlock>(tokens[b].magnitudes[0][p], tokens[b].magnitudes[1][p],
                             count - std::min(count, p * kBytes), own + at + p * kBytes, even + at / 2 + p * kWords,
                             odd + at / 2 + p * kWords);
      if (HWY_UNLIKELY(escapes[b].lanes != 0)) put_escapes(escapes[b], own + at, even + at / 2, odd + at / 2);
    }
  }

  // The activities of as many values as two vectors have magnitudes of, and their magnitudes or residuals.
  template <bool kAll, class V>
  HWY_INLINE void put(V even_magnitudes, V odd_magnitudes, std::size_t count, std::uint8_t* own, std::int16_t* even,
                      std::int16_t* odd) const {
    const hn::DFromV<V> d;
    const hn::Repartition<std::uint8_t, hn::DFromV<V>> d8;
    const hn::RebindToSigned<hn::DFromV<V>> di;
    auto activity = activities(even_magnitudes, odd_magnitudes, activity_shift_);
    if constexpr (!kAll) activity = hn::IfThenElseZero(leading(d8, count), activity);
    hn::StoreU(activity, d8, own);
    const auto put_as = [&](const auto& value_of) HWY_ATTR {
      hn::StoreU(hn::BitCast(di, value_of(even_magnitudes)), di, even);
      hn::StoreU(hn::BitCast(di, value_of(odd_magnitudes)), di, odd);
    };
    if (has_low_bits_)
      put_as([](V magnitude) HWY_ATTR { return magnitude; });
    else
      put_as([d](V magnitude) HWY_ATTR {
        const V sign = hn::Sub(hn::Zero(d), hn::And(magnitude, hn::Set(d, 1)));
        return hn::Xor(hn::ShiftRight<1>(magnitude), sign);
      });
  }

  // The same of a block's escapes, whose tokens stood for nothing.
  HWY_NOINLINE void put_escapes(Escapes escapes, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) const {
    for (auto left = escapes.lanes; left != 0; left &= left - 1) {
      const auto lane = static_cast<unsigned>(std::countr_zero(left));
      const std::uint16_t magnitude = *escapes.words++;
      own[lane] = activity_of(magnitude, activity_shift_);
      (lane % 2 == 0 ? even : odd)[lane / 2] =
          has_low_bits_ ? static_cast<std::int16_t>(magnitude) : residual_of(magnitude);
    }
  }

  template <class D>
  HWY_INLINE VU8 context_of(D d, const std::uint8_t* above, const std::uint8_t* top) const {
    auto index = activity_index(d, above, top);
    if (unrest_ != 0) index = joined(index, hn::LoadU(d, above + unrest_));
    return of_64(context_, hn::ZeroExtendResizeBitCast(DU8(), d, index));
  }

  const Plane& plane_;
  const Coded& coded_;
  std::ptrdiff_t unrest_ = 0;
  Words words_;
  std::uint64_t group_ = 0;
  TokenReader tokens_;
  bool has_low_bits_;
  unsigned activity_shift_;
  HWY_ALIGN std::uint32_t states_[kMostLanes] = {};
  HWY_ALIGN std::uint8_t context_[kActivities] = {};
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
