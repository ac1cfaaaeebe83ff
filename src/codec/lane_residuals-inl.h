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
  std::uint16_t next() { return *at_++; }
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
        else if (left > kBytes)
          read_blocks<1, false>(states_ + i, left, above + at, top + at, own + at, even + at / 2, odd + at / 2);
        else
          read_blocks<1, false, 1>(states_ + i, left, above + at, top + at, own + at, even + at / 2, odd + at / 2);
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
  // kUsed: the parts of a block that have values.
  template <std::size_t kBlocks, bool kAll, std::size_t kUsed = kParts>
  HWY_INLINE void read_blocks(std::uint32_t* states, std::size_t count, const std::uint8_t* above,
                              const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    if (tokens_.is_wide()) return read_blocks_as<kBlocks, kAll, kUsed, true>(states, count, above, top, own, even, odd);
    read_blocks_as<kBlocks, kAll, kUsed, false>(states, count, above, top, own, even, odd);
  }

  // Of a block: words to the states that are short of them, and to its escapes.
  template <bool kAll, std::size_t kUsed>
  HWY_INLINE void read_words(std::uint32_t* states, std::size_t count, Tokens& tokens) {
    const DU8 d8;
    const DU32 d32;
    const std::uint16_t* words_at =
        words_.at();  // not a member: a vector that is stored might change those for all that the compiler knows
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t p = 0; p < kUsed; ++p) {
        const VU32 rest = tokens.rests[j][p];
        std::uint32_t* state = states + j * kBlock / 4 + p * kDwords;
        auto short_of = hn::Lt(rest, hn::Set(d32, kLeastState));
        [[maybe_unused]] const std::size_t before = j + p * kBytes,  // lanes that are not there keep their states
            here = count > before ? (count - before + 3) / 4 : 0;
        if constexpr (!kAll) short_of = hn::And(short_of, leading(d32, here));
        const VU32 words = take_words(short_of, words_at);
        VU32 after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), words), rest);
        if constexpr (!kAll) after = hn::IfThenElse(leading(d32, here), after, hn::Load(d32, state));
        hn::Store(after, d32, state);
      }
    words_.move_to(words_at);
    bool any_escape = false;
    for (std::size_t p = 0; p < kUsed; ++p) {
      if constexpr (!kAll)
        tokens.escaped[p] = hn::And(tokens.escaped[p], leading(d8, count - std::min(count, p * kBytes)));
      any_escape |= !hn::AllFalse(d8, tokens.escaped[p]);
    }
    if (HWY_UNLIKELY(any_escape)) read_escapes<kUsed>(tokens.escaped, tokens.magnitudes);
  }

  // REQUIRES: kAll, or one block with count < kBlock values that are there, at most kUsed parts of it.
  template <std::size_t kBlocks, bool kAll, std::size_t kUsed, bool kWide>
  HWY_INLINE void read_blocks_as(std::uint32_t* states, std::size_t count, const std::uint8_t* above,
                                 const std::uint8_t* top, std::uint8_t* own, std::int16_t* even, std::int16_t* odd) {
    const DU8 d8;
    const DU16 d16;
    const D16 di16;
    const unsigned activity_shift = activity_shift_;
    VU8 contexts[kBlocks][kParts];
    for (std::size_t b = 0; b < kBlocks; ++b)
      for (std::size_t p = 0; p < kUsed; ++p) {
        const std::size_t at = b * kBlock + p * kBytes;
        contexts[b][p] = context_of(above + at, top + at);
      }
    Tokens tokens[kBlocks];
    tokens_.template read<kBlocks, kWide, kUsed>(states, contexts, tokens);
    for (std::size_t b = 0; b < kBlocks; ++b) read_words<kAll, kUsed>(states + b * kBlock, count, tokens[b]);
    for (std::size_t b = 0; b < kBlocks; ++b)
      for (std::size_t p = 0; p < kUsed; ++p) {
        VU8 activity = activities(tokens[b].magnitudes[0][p], tokens[b].magnitudes[1][p], activity_shift);
        if constexpr (!kAll) activity = hn::IfThenElseZero(leading(d8, count - std::min(count, p * kBytes)), activity);
        hn::StoreU(activity, d8, own + b * kBlock + p * kBytes);
      }
    const auto put = [&](const auto& value_of) HWY_ATTR {
      for (std::size_t b = 0; b < kBlocks; ++b)
        for (std::size_t p = 0; p < kUsed; ++p) {
          const std::size_t at = b * kBlock / 2 + p * kWords;
          hn::StoreU(hn::BitCast(di16, value_of(tokens[b].magnitudes[0][p])), di16, even + at);
          hn::StoreU(hn::BitCast(di16, value_of(tokens[b].magnitudes[1][p])), di16, odd + at);
        }
    };
    if (has_low_bits_)
      put([](VU16 magnitude) HWY_ATTR { return magnitude; });
    else
      put([d16](VU16 magnitude) HWY_ATTR {
        const VU16 sign = hn::Sub(hn::Zero(d16), hn::And(magnitude, hn::Set(d16, 1)));
        return hn::Xor(hn::ShiftRight<1>(magnitude), sign);
      });
  }

  template <std::size_t kUsed>
  HWY_INLINE void read_escapes(const hn::Mask<DU8>* escaped, VU16 (*magnitudes)[kParts]) {
    const DU8 d8;
    const DU16 d16;
    HWY_ALIGN std::uint16_t values[2][kBlock / 2];
    std::uint8_t bits[kBlock / 8 + 8] = {};
    for (std::size_t p = 0; p < kUsed; ++p) {
      hn::StoreMaskBits(d8, escaped[p], bits + p * kBytes / 8);
      for (std::size_t half = 0; half < 2; ++half) hn::Store(magnitudes[half][p], d16, values[half] + p * kWords);
    }
    for (auto left = load_le<std::uint64_t>(reinterpret_cast<const std::byte*>(bits)); left != 0; left &= left - 1) {
      const auto lane = static_cast<unsigned>(std::countr_zero(left));
      values[lane % 2][lane / 2] = words_.next();
    }
    for (std::size_t p = 0; p < kUsed; ++p)
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
  TokenReader tokens_;
  bool has_low_bits_;
  unsigned activity_shift_;
  HWY_ALIGN std::uint32_t states_[kMostLanes] = {};
  HWY_ALIGN std::uint8_t context_[kActivities] = {};
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
