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
#include <type_traits>
#include <utility>
#include <vector>

#include "codec/lane_fit.h"
#include "codec/lane_tokens-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Words in order. The last ones are read from a copy, with zeros behind it, so that a group of steps may be read
// anywhere.
class Words {
 public:
  Words(ByteSpan bytes, std::vector<std::uint16_t>& copy)
      : count_(bytes.size() / 2), begin_(bytes.data()), at_(begin_) {
    last_count_ = std::min(count_, kOfGroup);
    copy.assign(last_count_ + 2 * kOfGroup, 0);
    if (last_count_ > 0) std::memcpy(copy.data(), begin_ + 2 * (count_ - last_count_), 2 * last_count_);
    last_ = reinterpret_cast<const std::byte*>(copy.data());
  }
  // Where the next words are: as many as a group takes may be read.
  const std::byte* at() {
    if (in_last_ || used() + kOfGroup <= count_) return at_;
    in_last_ = true;
    at_ = last_ + 2 * (used_at_ + last_count_ - count_);
    return at_;
  }
  void move_to(const std::byte* at) {
    used_at_ += static_cast<std::size_t>(at - at_) / 2;
    at_ = at;
  }
  std::size_t used() const { return used_at_; }
  std::size_t count() const { return count_; }
  bool overrun() const { return used() > count_; }

 private:
  static constexpr std::size_t kOfGroup = (2 * kGroup + 1) * kMostLanes;
  std::size_t count_, last_count_, used_at_ = 0;
  const std::byte *begin_, *at_, *last_;
  bool in_last_ = false;
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

// Values of even lanes, and those of odd ones.
template <unsigned kLanes>
struct ByLane {
  using D = hn::CappedTag<std::int16_t, kLanes / 2>;
  using V = hn::Vec<D>;
  static constexpr std::size_t kWidth = hn::MaxLanes(D()), kVectors = kLanes / 2 / kWidth;

  HWY_INLINE void add(const std::int16_t* to_even, const std::int16_t* to_odd) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      of[0][v] = hn::Add(of[0][v], hn::Load(D(), to_even + v * kWidth));
      of[1][v] = hn::Add(of[1][v], hn::Load(D(), to_odd + v * kWidth));
    }
  }

  V of[2][kVectors];
};

// Keeps compilers from working out beforehand what is found from a pointer for all lanes, for which they lack
// registers.
template <class T>
HWY_INLINE T* one_by_one(T* pointer) {
  asm volatile("" : "+r"(pointer));
  return pointer;
}

// What belongs to the steps of a group; numbers of 16 bits of even lanes in front of those of odd ones.
template <unsigned kLanes>
struct Group {
  HWY_ALIGN std::int16_t steps[kGroup][kLanes];
};

// What the next rows need of those before: of each step what belongs to the last lane and to the one above it. Nothing
// but zeros in front of the first.
template <class T, unsigned kLanes>
class Tails {
 public:
  Tails(const Steps& steps, std::vector<T>& memory) {
    constexpr std::ptrdiff_t kMargin = HWY_MAX_BYTES, kBehind = 2 * static_cast<std::ptrdiff_t>(kLanes - 1);
    const auto period = static_cast<std::ptrdiff_t>(steps.period),
               count = kMargin + period + static_cast<std::ptrdiff_t>(steps.groups() * kGroup);
    memory.assign(static_cast<std::size_t>(2 * count), 0);
    last_ = memory.data() + kMargin + period;
    second_last_ = last_ + count;
    above_ = last_ - period + kBehind;
    top_ = second_last_ - period + kBehind - 2;
  }
  T* last(std::ptrdiff_t t) { return last_ + t; }
  T* second_last(std::ptrdiff_t t) { return second_last_ + t; }
  // Of the row above the first lane's at step `t`, and of the one before, so many columns to the right of that lane.
  HWY_INLINE const T* above(std::ptrdiff_t t, std::ptrdiff_t columns) const { return above_ + t + columns; }
  HWY_INLINE const T* top(std::ptrdiff_t t, std::ptrdiff_t columns) const { return top_ + t + columns; }

 private:
  T *last_, *second_last_;
  const T *above_, *top_;
};

// Where each lane is in a step, a byte for each. Lanes are two columns apart, so tables of every other column, from
// right to left, have those of all lanes one behind the other, and one byte further on those of two steps before.
template <unsigned kLanes>
class RowEnds {
 public:
  // On a pixel; right behind a row, which is as far as pixels above and to the right are asked for; one or two columns
  // in front of one.
  static constexpr std::uint8_t kNothing = 0, kPixel = 0x80, kPast = 1, kFront = 2;

  RowEnds(const Steps& steps, std::vector<std::uint8_t>& memory)
      : columns_(static_cast<std::ptrdiff_t>(steps.size.columns)),
        period_(static_cast<std::ptrdiff_t>(steps.period)),
        full_slots_(steps.size.rows / kLanes),
        longer_slots_((steps.size.rows + kLanes - 1) / kLanes) {
    const unsigned rest = steps.size.rows % kLanes;
    for (unsigned lane = 0; lane < kLanes; ++lane) is_longer_[lane] = rest == 0 || lane < rest ? 0xFF : 0;
    memory.assign(static_cast<std::size_t>(6 * kBehind + period_), 0);
    std::uint8_t* to = memory.data();
    first_ = make(to, kBehind, [&](std::ptrdiff_t column) { return column < -2 ? kNothing : of_row(column); });
    amid_ = make(to, period_, [&](std::ptrdiff_t column) { return of_row(column); });
    last_ = make(to, kBehind + 2, [&](std::ptrdiff_t column) { return column < 0 ? of_row(column) : kNothing; });
  }

  struct Lanes {
    // Of lanes that have a row more than others, with kPast and kFront of all of them; and of those others.
    const std::uint8_t *longer, *shorter;
    const std::uint8_t* is_longer;  // of all bits, or none
  };
  HWY_INLINE Lanes of(Steps::Moment moment) const {
    if (HWY_LIKELY(moment.slot > 0 && moment.slot < full_slots_)) {
      const std::uint8_t* const amid = amid_.at(moment.at);
      return {amid, amid, is_longer_};
    }
    return {of_slots(longer_slots_, moment), of_slots(full_slots_, moment), is_longer_};
  }

 private:
  static constexpr std::ptrdiff_t kBehind = 2 * kLanes;  // columns, and more than the last lane is behind the first

  // In a column of a row between others.
  std::uint8_t of_row(std::ptrdiff_t column) const {
    if (column < 0) column += period_;
    if (column < columns_) return kPixel;
    return column == columns_ ? kPast : column < period_ - 2 ? kNothing : kFront;
  }

  struct Table {
    const std::uint8_t* of[2];  // where the first lane is in column 0, and 1
    HWY_INLINE const std::uint8_t* at(std::ptrdiff_t column) const { return of[column % 2] - column / 2; }
  };
  // For columns of the first lane from 0 to `end`, an even number.
  template <class ByteOf>
  static Table make(std::uint8_t*& to, std::ptrdiff_t end, const ByteOf& byte_of) {
    Table table;
    for (std::ptrdiff_t parity = 0; parity < 2; ++parity) {
      table.of[parity] = to + end / 2 - 1;
      for (std::ptrdiff_t column = end - 2 + parity; column > -kBehind; column -= 2) *to++ = byte_of(column);
    }
    return table;
  }
  // Of lanes that have so many rows.
  const std::uint8_t* of_slots(std::int64_t slots, Steps::Moment moment) const {
    if (slots == 0) return last_.at(kBehind);
    if (moment.slot >= slots)
      return last_.at(std::min<std::ptrdiff_t>((moment.slot - slots) * period_ + moment.at, kBehind));
    return moment.slot == 0 && moment.at < kBehind ? first_.at(moment.at) : amid_.at(moment.at);
  }

  HWY_ALIGN std::uint8_t is_longer_[kLanes];
  std::ptrdiff_t columns_, period_;
  std::int64_t full_slots_, longer_slots_;
  Table first_, amid_, last_;
};

// Reads residuals step by step, kLanes at a time.
template <unsigned kLanes>
class ResidualReader {
  using D8 = hn::CappedTag<std::uint8_t, kLanes>;
  using D = typename ByLane<kLanes>::D;
  using DU = hn::RebindToUnsigned<D>;
  using DI8 = hn::RebindToSigned<D8>;
  using Ends = RowEnds<kLanes>;
  using V8 = hn::Vec<D8>;
  using VU = hn::Vec<DU>;
  static constexpr std::size_t kVectors = ByLane<kLanes>::kVectors;

  // Activities around the lanes' pixels.
  struct Around {
    V8 w[kVectors], ww[kVectors], ne[kVectors], n[kVectors], nw[kVectors], nn[kVectors];

    HWY_INLINE V8 mean(std::size_t v) const {
      const V8 next = hn::AverageRound(w[v], n[v]), corners = hn::AverageRound(nw[v], ne[v]),
               far = hn::AverageRound(ww[v], nn[v]);
      return hn::AverageRound(next, hn::AverageRound(corners, far));
    }
    // One column to the right. `above`, `top`: of the rows above the first lane, the activities that come in.
    HWY_INLINE void move(const V8 (&own)[kVectors], const std::uint8_t* above, const std::uint8_t* top) {
      const D8 d;
      move_up(d, nw, top, nn);
      for (std::size_t v = 0; v < kVectors; ++v) {
        nw[v] = n[v];
        n[v] = ne[v];
        ww[v] = w[v];
        w[v] = own[v];
      }
      move_up(d, w, above, ne);
    }
  };
  static constexpr bool kFew = kLanes == kFewLanes;
  static constexpr std::size_t kFewVectors = (kFew ? kLanes : kDwords) / kDwords;
  HWY_ALIGN static constexpr auto kFewPlaces = [] {
    std::array<std::uint8_t, kFewLanes> places{};
    for (std::size_t lane = 0; lane < kFewLanes; ++lane) places[lane] = static_cast<std::uint8_t>(few_place(lane));
    return places;
  }();
  static std::size_t place_of(std::size_t lane) { return kFew ? few_place(lane) : place(lane); }

  struct FewStates {
    HWY_INLINE explicit FewStates(std::uint32_t* at) : at_(at) {
      for (std::size_t v = 0; v < kFewVectors; ++v) of[v] = hn::Load(DU32(), at + v * kDwords);
    }
    HWY_INLINE void put_back() const {
      for (std::size_t v = 0; v < kFewVectors; ++v) hn::Store(of[v], DU32(), at_ + v * kDwords);
    }
    VU32 of[kFewVectors];

   private:
    std::uint32_t* at_;
  };

  using StatesOfLanes = std::conditional_t<kFew, FewStates, States>;

 public:
  ResidualReader(const Plane& plane, const Steps& steps, const Coded& coded, std::vector<std::uint16_t>& words,
                 std::vector<std::uint8_t>& tails)
      : steps_(steps),
        coded_(coded),
        words_(coded.words, words),
        low_(coded.low_bits, plane.low_bits),
        tokens_(plane),
        tails_(steps, tails),
        low_bits_(plane.low_bits),
        activity_shift_(static_cast<int>(plane.activity_shift)) {
    const ContextOfBin contexts = contexts_of_bins(plane);
    std::copy(contexts.begin(), contexts.end(), context_);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      states_[place_of(lane)] = load_le<std::uint32_t>(coded.states.data() + 4 * lane);
    for (std::size_t v = 0; v < kVectors; ++v)
      at_.w[v] = at_.ww[v] = at_.ne[v] = at_.n[v] = at_.nw[v] = at_.nn[v] = hn::Zero(D8());
  }

  // Whether a token begins above 255.
  bool is_wide() const { return tokens_.is_wide(); }
  bool is_zero(std::uint64_t group) const {
    return !coded_.zero_flags.empty() && (coded_.zero_flags[group / 8] >> (group % 8) & std::byte{1}) != std::byte{0};
  }

  // What changes from step to step.
  struct Cursor {
    Around at;
    StatesOfLanes states;
    const std::byte* words;
  };
  HWY_INLINE Cursor begin() { return {at_, StatesOfLanes(states_), words_.at()}; }
  // Behind the steps of a group from `t` on.
  HWY_INLINE Status end(const Cursor& cursor, std::ptrdiff_t t) {
    at_ = cursor.at;
    cursor.states.put_back();
    words_.move_to(cursor.words);
    keep_tails(t);
    if (words_.overrun()) return fail(ErrorClass::kCodec, "lane stream: its {} words end too early", words_.count());
    return {};
  }

  // The residuals of the next step. `unrest`: of the reference; `ends`: of the step. kEdges: not all lanes need have a
  // pixel, and there may be low bits; kFirst: the first lane may be in the plane's first row.
  template <bool kEdges, bool kFirst, bool kUnrest, bool kWide, class Meanwhile>
  HWY_INLINE void read(Cursor& cursor, Steps::Moment moment, const std::uint8_t* unrest, const Ends& ends,
                       ByLane<kLanes>& residuals, const Meanwhile& meanwhile) {
    const std::ptrdiff_t t = moment.step;
    const D8 d;
    V8 contexts[kVectors], present[kVectors], own[kVectors];
    if constexpr (kEdges) set_present(ends.of(moment), present);
    for (std::size_t v = 0; v < kVectors; ++v) {
      V8 around = cursor.at.mean(v);
      if constexpr (kUnrest) {
        const V8 both = joined(around, hn::Load(d, unrest + v * hn::Lanes(d)));
        around =
            kFirst ? hn::IfThenElse(hn::FirstN(d, v == 0 && steps_.is_in_first_row(t) ? 1 : 0), around, both) : both;
      }
      contexts[v] = context_of(around);
    }
    Magnitudes magnitudes;
    const Escapes escapes =
        read_step<kEdges, kWide>(cursor.states, cursor.words, contexts, present, magnitudes, meanwhile);
    if (HWY_UNLIKELY(escapes.lanes != 0)) {
      put_escapes(escapes, magnitudes);
      cursor.words += 2 * std::popcount(escapes.lanes);
    }
    std::uint8_t* const own_bytes = own_[t % kSteps];
    for (std::size_t v = 0; v < kVectors; ++v) {
      own[v] = activities(magnitudes.of[0][v], magnitudes.of[1][v], activity_shift_);
      if constexpr (kEdges)
        own[v] = hn::BitCast(d, hn::IfNegativeThenElseZero(hn::BitCast(DI8(), present[v]), hn::BitCast(DI8(), own[v])));
      hn::Store(own[v], d, own_bytes + v * hn::Lanes(d));
    }
    if constexpr (kEdges)
      if (low_bits_ > 0) join_low_bits(moment, magnitudes);
    set_residuals(magnitudes, residuals);
    cursor.at.move(own, tails_.above(t + 1, 1), tails_.top(t + 1, 0));
  }

  // Instead of read(), in a group without residuals but for their low bits.
  HWY_INLINE void pass(Cursor& cursor, Steps::Moment moment, ByLane<kLanes>& residuals) {
    const std::ptrdiff_t t = moment.step;
    Magnitudes magnitudes;
    V8 own[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      own[v] = hn::Zero(D8());
      hn::Store(own[v], D8(), own_[t % kSteps] + v * hn::Lanes(D8()));
      magnitudes.of[0][v] = magnitudes.of[1][v] = hn::Zero(DU());
    }
    if (low_bits_ > 0) join_low_bits(moment, magnitudes);
    set_residuals(magnitudes, residuals);
    cursor.at.move(own, tails_.above(t + 1, 1), tails_.top(t + 1, 0));
  }

  Status check_end() const {
    if (words_.used() != words_.count())
      return fail(ErrorClass::kCodec, "lane stream: {} words used of {}", words_.used(), words_.count());
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if (const std::uint32_t state = states_[place_of(lane)]; state != kLeastState)
        return fail(ErrorClass::kCodec, "lane stream: a state ends at {:#x}, {:#x} expected", state, kLeastState);
    return {};
  }

 private:
  static constexpr std::ptrdiff_t kSteps = kGroup;
  // Lanes whose tokens are escapes, and the words that are their magnitudes.
  struct Escapes {
    std::uint64_t lanes;
    const std::byte* words;
  };
  // Magnitudes of even lanes, and of odd ones.
  struct Magnitudes {
    VU of[2][kVectors];
  };

  // Bytes whose highest bit, as a sign, says that a lane has a pixel.
  HWY_INLINE static void set_present(const typename Ends::Lanes& lanes, V8 (&present)[kVectors]) {
    static_assert(Ends::kPixel == 0x80);
    const D8 d;
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t first = v * hn::Lanes(d);
      present[v] = hn::IfVecThenElse(hn::Load(d, lanes.is_longer + first), hn::LoadU(d, lanes.longer + first),
                                     hn::LoadU(d, lanes.shorter + first));
    }
  }

  HWY_INLINE V8 context_of(V8 around) const {
    const DU8 whole;
    return hn::ResizeBitCast(D8(), of_64(context_, hn::ResizeBitCast(whole, around)));
  }

  // The tokens of a step; words to the states that are short of them.
  template <bool kEdges, bool kWide, class Meanwhile>
  HWY_INLINE Escapes read_step(States& states, const std::byte*& words, const V8 (&contexts)[kVectors],
                               const V8 (&present)[kVectors], Magnitudes& magnitudes,
                               const Meanwhile& meanwhile) const {
    const DU8 d8;
    const DU32 d32;
    Tokens tokens;
    tokens_.template read<kWide>(states, contexts, tokens, meanwhile);
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t p = 0; p < kParts; ++p) {
        const VU32 rest = tokens.rests[j][p], least = hn::Set(d32, kLeastState);
        if constexpr (kEdges) {
          const auto is_present = hn::TestBit(hn::BitCast(d32, present[p]), signs_[j]);
          const auto short_of = hn::MaskedLt(is_present, rest, least);
          const VU32 taken = take_words(short_of, words);
          const VU32 after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), taken), rest);
          states.set(j, p, hn::IfThenElse(is_present, after, states.get(j, p)));
        } else {
          const auto short_of = hn::Lt(rest, least);
          const VU32 taken = take_words(short_of, words);
          states.set(j, p, hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), taken), rest));
        }
      }
    Escapes escapes = {0, words};
    for (std::size_t p = 0; p < kParts; ++p) {
      auto escaped = tokens.escaped[p];
      if constexpr (kEdges)
        escaped = hn::And(escaped, hn::RebindMask(d8, hn::IsNegative(hn::BitCast(DI8(), present[p]))));
      escapes.lanes |= hn::BitsFromMask(d8, escaped) << p * kBytes;
      magnitudes.of[0][p] = tokens.magnitudes[0][p];
      magnitudes.of[1][p] = tokens.magnitudes[1][p];
    }
    return escapes;
  }

  template <bool kEdges, bool kWide, class Meanwhile>
  HWY_INLINE Escapes read_step(FewStates& states, const std::byte*& words, const V8 (&contexts)[kVectors],
                               const V8 (&present)[kVectors], Magnitudes& magnitudes,
                               const Meanwhile& meanwhile) const {
    const D8 d8;
    const DU32 d32;
    const V8 places = hn::Load(d8, kFewPlaces.data());
    VU32 context[kFewVectors], is_present[kFewVectors];
    widen(hn::TableLookupBytes(contexts[0], places), context);
    if constexpr (kEdges) widen(hn::TableLookupBytes(present[0], places), is_present);
    meanwhile(Part<0>());
    meanwhile(Part<1>());
    meanwhile(Part<2>());
    FewTokens all[kFewVectors];
    for (std::size_t v = 0; v < kFewVectors; ++v) all[v] = tokens_.template read_few<kWide>(states.of[v], context[v]);
    meanwhile(Part<3>());
    meanwhile(Part<4>());
    unsigned escaped = 0;
    for (std::size_t v = 0; v < kFewVectors; ++v) {
      auto short_of = hn::Lt(all[v].rest, hn::Set(d32, kLeastState));
      if constexpr (kEdges) {
        const auto there = hn::TestBit(is_present[v], signs_[0]);
        short_of = hn::And(short_of, there);
        all[v].escaped = hn::And(all[v].escaped, there);
        all[v].rest = hn::IfThenElse(there, all[v].rest, states.of[v]);
      }
      const VU32 taken = take_words(short_of, words);
      states.of[v] = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(all[v].rest), taken), all[v].rest);
      escaped |= static_cast<unsigned>(hn::BitsFromMask(d32, all[v].escaped)) << v * kDwords;
    }
    const DU d16;
    const auto [low, high] = magnitudes_of(all);
    magnitudes.of[0][0] = hn::InterleaveLower(d16, low, high);
    magnitudes.of[1][0] = hn::InterleaveUpper(d16, low, high);
    Escapes escapes{0, words};
    if (HWY_UNLIKELY(escaped != 0))
      for (unsigned lane = 0; lane < kLanes; ++lane)
        escapes.lanes |= std::uint64_t{escaped >> few_place(lane) & 1} << lane;
    return escapes;
  }
  // A dword for each byte.
  HWY_INLINE static void widen(V8 bytes, VU32 (&dwords)[kFewVectors]) {
    const DU32 d32;
    const hn::Rebind<std::uint8_t, DU32> byte_each;
    if constexpr (kFewVectors == 1) {
      dwords[0] = hn::PromoteTo(d32, hn::ResizeBitCast(byte_each, bytes));
    } else {
      HWY_ALIGN std::uint8_t each[kLanes];
      hn::Store(bytes, D8(), each);
      for (std::size_t v = 0; v < kFewVectors; ++v)
        dwords[v] = hn::PromoteTo(d32, hn::Load(byte_each, each + v * kDwords));
    }
  }
  // As words: of the first 8 of the lanes in their order, and of the others.
  HWY_INLINE static std::pair<VU, VU> magnitudes_of(const FewTokens* tokens) {
    const DU d;
#if HWY_MAX_BYTES == 64
    const auto words = hn::TruncateTo(hn::Full256<std::uint16_t>(), tokens[0].magnitudes);
    return {hn::LowerHalf(d, words), hn::UpperHalf(d, words)};
#elif HWY_MAX_BYTES == 32
    return {hn::TruncateTo(d, tokens[0].magnitudes), hn::TruncateTo(d, tokens[1].magnitudes)};
#else
    return {hn::OrderedTruncate2To(d, tokens[0].magnitudes, tokens[1].magnitudes),
            hn::OrderedTruncate2To(d, tokens[2].magnitudes, tokens[3].magnitudes)};
#endif
  }

  HWY_INLINE void set_residuals(const Magnitudes& magnitudes, ByLane<kLanes>& residuals) const {
    for (std::size_t v = 0; v < kVectors; ++v)
      for (std::size_t odd = 0; odd < 2; ++odd) {
        const VU magnitude = magnitudes.of[odd][v];
        const VU sign = hn::Sub(hn::Zero(DU()), hn::And(magnitude, one_));
        residuals.of[odd][v] = hn::BitCast(D(), hn::Xor(hn::ShiftRight<1>(magnitude), sign));
      }
  }

  // Of escapes, whose tokens stood for nothing.
  HWY_INLINE static void put_escapes(Escapes escapes, Magnitudes& magnitudes) {
#if HWY_TARGET <= HWY_AVX3_DL
    if constexpr (!kFew) {  // what the tokens stood for is 0
      const DU d;
      const hn::Repartition<std::uint8_t, DU> bytes;
      const auto half = [&](std::uint64_t lanes, const std::byte* words) HWY_ATTR {
        HWY_ALIGN std::uint64_t bits = lanes & 0xFFFFFFFF;
        return hn::Expand(hn::BitCast(d, hn::LoadU(bytes, reinterpret_cast<const std::uint8_t*>(words))),
                          hn::LoadMaskBits(d, reinterpret_cast<const std::uint8_t*>(&bits)));
      };
      const VU low = half(escapes.lanes, escapes.words),
               high = half(escapes.lanes >> 32, escapes.words + 2 * std::popcount(escapes.lanes & 0xFFFFFFFF));
      magnitudes.of[0][0] = hn::Or(magnitudes.of[0][0], hn::ConcatEven(d, high, low));
      magnitudes.of[1][0] = hn::Or(magnitudes.of[1][0], hn::ConcatOdd(d, high, low));
      return;
    }
#endif
    Numbers numbers(magnitudes);
    for (auto left = escapes.lanes; left != 0; left &= left - 1) {
      numbers.of(static_cast<unsigned>(std::countr_zero(left))) = load_le<std::uint16_t>(escapes.words);
      escapes.words += 2;
    }
    numbers.put_back(magnitudes);
  }
  HWY_NOINLINE void join_low_bits(Steps::Moment moment, Magnitudes& magnitudes) {
    Numbers numbers(magnitudes);
    const Steps::Present present = steps_.present(moment.slot, moment.at);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if (!present.has(lane)) continue;
      std::uint16_t& number = numbers.of(lane);
      number = static_cast<std::uint16_t>(unsigned{number} << low_bits_ | low_.next());
    }
    numbers.put_back(magnitudes);
  }
  // Magnitudes in memory.
  class Numbers {
   public:
    HWY_INLINE explicit Numbers(const Magnitudes& magnitudes) {
      for (std::size_t odd = 0; odd < 2; ++odd)
        for (std::size_t v = 0; v < kVectors; ++v) hn::Store(magnitudes.of[odd][v], DU(), at_[odd] + v * kWidth);
    }
    HWY_INLINE void put_back(Magnitudes& magnitudes) const {
      for (std::size_t odd = 0; odd < 2; ++odd)
        for (std::size_t v = 0; v < kVectors; ++v) magnitudes.of[odd][v] = hn::Load(DU(), at_[odd] + v * kWidth);
    }
    std::uint16_t& of(unsigned lane) { return at_[lane % 2][lane / 2]; }

   private:
    static constexpr std::size_t kWidth = ByLane<kLanes>::kWidth;
    HWY_ALIGN std::uint16_t at_[2][kLanes / 2];
  };

  HWY_INLINE void keep_tails(std::ptrdiff_t t) {
    for (std::ptrdiff_t s = 0; s < kSteps; ++s) {
      *tails_.last(t + s) = own_[s][kLanes - 1];
      *tails_.second_last(t + s) = own_[s][kLanes - 2];
    }
  }

  const Steps& steps_;
  const Coded& coded_;
  Words words_;
  LowBits low_;
  TokenReader tokens_;
  Tails<std::uint8_t, kLanes> tails_;  // activities
  // In memory: compilers make constants anew wherever they run out of registers.
  VU one_ = hn::Set(DU(), 1);
  VU32 signs_[4] = {hn::Set(DU32(), 0x80U), hn::Set(DU32(), 0x8000U), hn::Set(DU32(), 0x800000U),
                    hn::Set(DU32(), 0x80000000U)};  // of the bytes of a dword
  unsigned low_bits_;
  int activity_shift_;
  Around at_;
  HWY_ALIGN std::uint32_t states_[kLanes] = {};
  HWY_ALIGN std::uint8_t context_[kActivities] = {};
  HWY_ALIGN std::uint8_t own_[kGroup][kLanes];  // activities of the group
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
