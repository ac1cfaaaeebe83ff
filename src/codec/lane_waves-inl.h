// From residuals to values, for one vector unit; included once for each.
#if defined(DICUBE_LANE_WAVES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_WAVES_INL
#undef DICUBE_LANE_WAVES_INL
#else
#define DICUBE_LANE_WAVES_INL
#endif

#include <algorithm>
#include <optional>
#include <vector>

#include "codec/lane_residuals-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Makes values of residuals, step by step. Even and odd lanes stand in vectors of their own: what is above an odd one
// stands at the same place.
template <unsigned kLanes>
class Wave {
 public:
  using D = typename ByLane<kLanes>::D;
  using V = hn::Vec<D>;
  using VU = hn::Vec<hn::RebindToUnsigned<D>>;
  using Neighbourhood = NeighbourhoodOf<D>;
  static constexpr std::size_t kWidth = ByLane<kLanes>::kWidth, kVectors = ByLane<kLanes>::kVectors;

  Wave(const Plane& plane, const Steps& steps, std::vector<std::int16_t>& tails)
      : predictor_(plane), steps_(steps), tails_(steps, tails) {
    for (std::size_t odd = 0; odd < 2; ++odd)
      for (std::size_t v = 0; v < kVectors; ++v) {
        Neighbourhood& at = at_[odd][v];
        at.w = at.ww = at.n = at.nw = at.ne = at.nne = hn::Zero(D());
        for (V& difference : at.across) difference = hn::Zero(D());
        for (V& difference : at.down) difference = hn::Zero(D());
      }
  }

  // What changes from step to step, in registers as far as they go.
  struct Cursor {
    Neighbourhood of[2][kVectors];
    V last;  // values of the first lanes, while the first of them is in the first row
  };
  HWY_INLINE Cursor begin() const {
    Cursor cursor;
    for (std::size_t v = 0; v < kVectors; ++v) cursor.of[0][v] = at_[0][v], cursor.of[1][v] = at_[1][v];
    cursor.last = hn::Set(D(), last_of_first_row_);
    return cursor;
  }
  // Behind the steps of a group.
  HWY_INLINE void end(const Cursor& cursor) {
    for (std::size_t v = 0; v < kVectors; ++v) at_[0][v] = cursor.of[0][v], at_[1][v] = cursor.of[1][v];
    last_of_first_row_ = hn::GetLane(cursor.last);
  }
  bool sinks() const { return predictor_.raise() < 0; }
  bool is_coarse() const { return predictor_.is_coarse(); }

  // What a step does in turn: its lanes' neighbours are set; of even lanes (0) and odd ones (1), coefficients are
  // chosen, and values expected; residuals are added.
  struct Step {
    V index[2][kVectors];
    ByLane<kLanes> expected;
  };

  // kFirst: the first lane may be in the plane's first row.
  template <bool kFirst>
  HWY_INLINE void enter(Cursor& cursor, std::ptrdiff_t t) const {
    const D d;
    Neighbourhood(&even)[kVectors] = cursor.of[0], (&odd)[kVectors] = cursor.of[1];
    for (std::size_t v = 0; v < kVectors; ++v) even[v].move(), odd[v].move();
    for (std::size_t v = 0; v < kVectors; ++v) {
      odd[v].ne = even[v].w;
      odd[v].nne = even[v].nw;  // the NE of the lane before, two steps ago, is its NW now
    }
    if constexpr (kFirst) odd[0].nne = hn::IfThenElse(in_first_row(t), even[0].w, odd[0].nne);
    for (std::size_t v = kVectors - 1; v > 0; --v) {
      even[v].ne = moved_up(d, odd[v].w, odd[v - 1].w);
      even[v].nne = moved_up(d, odd[v].nw, odd[v - 1].nw);
    }
    even[0].ne = moved_up(d, odd[0].w, ending_with(d, tails_.above(t, 1)));
    even[0].nne = moved_up(d, odd[0].nw, ending_with(d, tails_.top(t, 1)));
    for (std::size_t v = 0; v < kVectors; ++v) even[v].set_differences(), odd[v].set_differences();
  }
  template <bool kCoarse>
  HWY_INLINE void choose(const Cursor& cursor, std::size_t parity, Step& step) const {
    for (std::size_t v = 0; v < kVectors; ++v)
      step.index[parity][v] = predictor_.template index_of<kCoarse>(cursor.of[parity][v]);
  }
  template <bool kSink>
  HWY_INLINE void expect(const Cursor& cursor, std::size_t parity, Step& step) const {
    for (std::size_t v = 0; v < kVectors; ++v)
      step.expected.of[parity][v] = predictor_.template predict<kSink>(cursor.of[parity][v], step.index[parity][v]);
  }
  // Values go to `out`, too. `ends`: of the step, RowEnds' bytes of the lanes that have a row more than others.
  template <bool kEdges, bool kFirst, bool kSink>
  HWY_INLINE void put(Cursor& cursor, std::ptrdiff_t t, const std::uint8_t* ends, const Step& step,
                      const ByLane<kLanes>& residuals, std::int16_t* out) const {
    const D d;
    for (std::size_t parity = 0; parity < 2; ++parity)
      for (std::size_t v = 0; v < kVectors; ++v) {
        Neighbourhood& at = cursor.of[parity][v];
        V expected = step.expected.of[parity][v];
        if constexpr (kFirst)
          if (parity == 0 && v == 0) expected = hn::IfThenElse(in_first_row(t), cursor.last, expected);
        V value = hn::Add(expected, residuals.of[parity][v]);
        V raised = predictor_.template raised<kSink>(value);
        if constexpr (kEdges) {  // in front of a row stands what is to the north-east of there; behind it, its last
                                 // value
          const auto front = is_set(ends, v, front_[parity]), past = is_set(ends, v, past_[parity]),
                     outside = hn::Or(past, front);
          const V stands = hn::IfThenElse(past, at.w, at.ne);
          raised = hn::IfThenElse(outside, stands, raised);
          value = hn::IfThenElse(outside, predictor_.template lowered<kSink>(stands), value);
        }
        if constexpr (kFirst)
          if (parity == 0 && v == 0) cursor.last = value;
        hn::Store(value, d, out + parity * kLanes / 2 + v * kWidth);
        at.ww = at.w;
        at.w = raised;
      }
  }

  // Keeps of the values of the steps from `t` on what the next rows need: those of the last lane and of the one above
  // it.
  HWY_INLINE void keep(std::ptrdiff_t t, const std::int16_t* second_last, const std::int16_t* last) {
    const hn::CappedTag<std::int16_t, kGroup> d;
    const int raise = predictor_.raise();
    for (std::size_t s = 0; s < kGroup; s += hn::Lanes(d)) {
      const auto raised = [&](const std::int16_t* from) HWY_ATTR {
        const auto value = hn::LoadU(d, from + s);
        return raise < 0 ? hn::ShiftRight<1>(value) : hn::ShiftLeftSame(value, raise);
      };
      hn::StoreU(raised(last), d, tails_.last(t) + s);
      hn::StoreU(raised(second_last), d, tails_.second_last(t) + s);
    }
  }

  // The same where there are no residuals, without working values out, where they go on with the one value that stands
  // all around: backgrounds. Returns whether it was so. REQUIRES: steps inside.
  HWY_INLINE bool fill(std::ptrdiff_t t, Group<kLanes>& group) {
    if (steps_.is_in_first_row(t)) return false;
    const D d;
    const V one = hn::Set(d, hn::GetLane(at_[0][0].w));
    V others = hn::Zero(d);
    for (std::size_t odd = 0; odd < 2; ++odd)
      for (std::size_t v = 0; v < kVectors; ++v) {
        const Neighbourhood& at = at_[odd][v];
        others = hn::Or(others, hn::Or3(hn::Xor(at.w, one), hn::Xor(at.ww, one), hn::Xor(at.ne, one)));
        others = hn::Or(others, hn::Or3(at.across[0], at.across[1], hn::Or(at.down[0], at.down[1])));
      }
    if (!hn::AllTrue(d, hn::Eq(others, hn::Zero(d)))) return false;
    return predictor_.raise() < 0 ? fill_with<true>(t, group) : fill_with<false>(t, group);
  }

 private:
  // The first lane, while it is in the first row.
  HWY_INLINE hn::Mask<D> in_first_row(std::ptrdiff_t t) const {
    return hn::FirstN(D(), steps_.is_in_first_row(t) ? 1 : 0);
  }

  // Of the even or odd lanes of a vector, those whose byte of `ends` has the bit of `wanted`.
  HWY_INLINE static hn::Mask<D> is_set(const std::uint8_t* ends, std::size_t v, VU wanted) {
    const hn::Repartition<std::uint8_t, D> bytes;
    const VU both = hn::BitCast(hn::RebindToUnsigned<D>(), hn::LoadU(bytes, ends + v * hn::Lanes(bytes)));
    return hn::RebindMask(D(), hn::TestBit(both, wanted));
  }
  static VU bit_of(std::uint8_t bit, unsigned parity) {
    return hn::Set(hn::RebindToUnsigned<D>(), static_cast<std::uint16_t>(bit << 8 * parity));
  }

  template <bool kSink>
  HWY_NOINLINE bool fill_with(std::ptrdiff_t t, Group<kLanes>& group) {
    const D d;
    const std::int16_t one = hn::GetLane(at_[0][0].w);
    const auto goes_on = [one](const std::int16_t* from) {
      return std::all_of(from, from + kGroup, [one](std::int16_t value) { return value == one; });
    };
    if (!goes_on(tails_.above(t, 1)) || !goes_on(tails_.top(t, 1))) return false;
    Neighbourhood at;
    at.w = at.ww = at.n = at.nw = at.ne = at.nne = hn::Set(d, one);
    for (V& difference : at.across) difference = hn::Zero(d);
    for (V& difference : at.down) difference = hn::Zero(d);
    const std::int16_t value = hn::GetLane(predictor_.template predict<kSink>(at));
    if (lane::raised(value, predictor_.raise()) != one) return false;
    std::fill_n(&group.steps[0][0], kGroup * kLanes, value);
    return true;
  }

  PredictorOf<D> predictor_;
  const Steps& steps_;
  Neighbourhood at_[2][kVectors];
  Tails<std::int16_t, kLanes> tails_;  // raised values
  std::int16_t last_of_first_row_ = 0;
  // Bits of `ends` by parity, in memory.
  VU front_[2] = {bit_of(RowEnds<kLanes>::kFront, 0), bit_of(RowEnds<kLanes>::kFront, 1)},
     past_[2] = {bit_of(RowEnds<kLanes>::kPast, 0), bit_of(RowEnds<kLanes>::kPast, 1)};
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
