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
  static constexpr std::uint32_t kTogether = 2;  // blocks read side by side: one alone mostly waits for itself

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
      states_[place(lane)] = load_le<std::uint32_t>(coded.states.data() + 4 * lane);
  }

  // A row's magnitudes, or, without low bits, its residuals: those of even and odd columns apart. `above` and `top`:
  // activities of the two rows before, `own` of this one. All may be written up to kMostLanes behind their end.
  HWY_INLINE Status read_row(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                             std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    std::uint32_t x = read_whole_groups(columns, above, top, own, even, odd);
    for (; x < columns && !words_.overrun(); x += plane_.lanes(), ++group_) {
      const std::uint32_t count = std::min<std::uint32_t>(plane_.lanes(), columns - x);
      if (is_zero_group()) {
        put_zeros(count, own + x, even + x / 2, odd + x / 2);
        continue;
      }
      for (std::uint32_t i = 0; i < count; i += kBlock) {
        const std::uint32_t at = x + i, left = count - i;
        States<1> states(states_ + i);
        const auto read = [&](auto most) HWY_ATTR {
          read_blocks<most.value>(states, left, above + at, top + at, own + at, even + at / 2, odd + at / 2);
        };
        if (left >= kBlock)
          read(std::integral_constant<std::size_t, kBlock>());
        else if (left > kBytes)
          read(std::integral_constant<std::size_t, kBlock - 1>());
        else if (left > kFew)
          read(std::integral_constant<std::size_t, std::min<std::size_t>(kBytes, kBlock - 1)>());
        else
          read(std::integral_constant<std::size_t, kFew>());
        states.put_back();
      }
    }
    if (words_.overrun()) return fail(ErrorClass::kCodec, "lane stream: its {} words end too early", words_.count());
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
  // Groups that the row does not end in. Returns where the last one ends.
  HWY_INLINE std::uint32_t read_whole_groups(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                                             std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    switch (plane_.lanes()) {
      case kMostLanes: return read_groups_of<kMostLanes>(columns, above, top, own, even, odd);
      case kBlock: return read_groups_of<kBlock>(columns, above, top, own, even, odd);
      default: return read_groups_of<kLanes[0]>(columns, above, top, own, even, odd);
    }
  }
  // Their states stay in registers where these are large enough.
  template <std::uint32_t kGroup>
  HWY_INLINE std::uint32_t read_groups_of(std::uint32_t columns, const std::uint8_t* above, const std::uint8_t* top,
                                          std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    States<(kGroup + kBlock - 1) / kBlock> states(states_);
    std::uint32_t x = 0;
    for (; columns - x >= kGroup && !words_.overrun(); x += kGroup, ++group_)
      if (is_zero_group())
        put_zeros(kGroup, own + x, even + x / 2, odd + x / 2);
      else
        read_blocks<std::min<std::size_t>(kGroup, kBlock)>(states, kGroup, above + x, top + x, own + x, even + x / 2,
                                                           odd + x / 2);
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
  // Few values are loaded and stored as no more than they are: what was stored as several vectors waits to be loaded as
  // one, until all of them are in the cache.
  static constexpr std::size_t kFew = 16;
  template <std::size_t kMost>
  using Bytes = hn::CappedTag<std::uint8_t, kMost <= kFew ? kFew : kBytes>;

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
        contexts[b][p] = context_of(Bytes<kMost>(), above + at, top + at);
      }
    Tokens tokens[kBlocks];
    tokens_.template read<kWide, kUsed<kMost>>(states, contexts, tokens);
    Escapes escapes[kBlocks];
    static_assert(kBlocks <= 2);  // no loop: compilers would keep all in memory for it
    escapes[0] = read_words<kMost>(states, 0, count, tokens[0]);
    if constexpr (kBlocks == 2) escapes[1] = read_words<kMost>(states, 1, count, tokens[1]);
    for (std::size_t b = 0; b < kBlocks; ++b) {
      const std::size_t at = b * kBlock;
      put<kMost>(tokens[b], count, own + at, even + at / 2, odd + at / 2);
      if (HWY_UNLIKELY(escapes[b].lanes != 0)) put_escapes(escapes[b], own + at, even + at / 2, odd + at / 2);
    }
  }

  // A block's activities, and its magnitudes or residuals.
  template <std::size_t kMost>
  HWY_INLINE void put(const Tokens& tokens, std::size_t count, std::uint8_t* own, std::int16_t* even,
                      std::int16_t* odd) const {
    const DU8 d8;
    const DU16 d16;
    const Bytes<kMost> bytes;
    const hn::Repartition<std::int16_t, Bytes<kMost>> words;
    for (std::size_t p = 0; p < kUsed<kMost>; ++p) {
      VU8 activity = activities(tokens.magnitudes[0][p], tokens.magnitudes[1][p], activity_shift_);
      if constexpr (kMost < kBlock)
        activity = hn::IfThenElseZero(leading(d8, count - std::min(count, p * kBytes)), activity);
      hn::StoreU(hn::ResizeBitCast(bytes, activity), bytes, own + p * kBytes);
    }
    const auto put_as = [&](const auto& value_of) HWY_ATTR {
      for (std::size_t p = 0; p < kUsed<kMost>; ++p) {
        hn::StoreU(hn::ResizeBitCast(words, value_of(tokens.magnitudes[0][p])), words, even + p * kWords);
        hn::StoreU(hn::ResizeBitCast(words, value_of(tokens.magnitudes[1][p])), words, odd + p * kWords);
      }
    };
    if (has_low_bits_)
      put_as([](VU16 magnitude) HWY_ATTR { return magnitude; });
    else
      put_as([d16](VU16 magnitude) HWY_ATTR {
        const VU16 sign = hn::Sub(hn::Zero(d16), hn::And(magnitude, hn::Set(d16, 1)));
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
    return of_64(context_, hn::ResizeBitCast(DU8(), index));
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
