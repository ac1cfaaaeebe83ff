// What a reference adds to values, and its unrest, for one vector unit; included once for each.
#if defined(DICUBE_LANE_CORRECTIONS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_CORRECTIONS_INL
#undef DICUBE_LANE_CORRECTIONS_INL
#else
#define DICUBE_LANE_CORRECTIONS_INL
#endif

#include <hwy/cache_control.h>

#include <algorithm>

#include "codec/lane_inter.h"
#include "codec/lane_residuals-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// What correcting needs of a plane. kLifted: the reference's values are lifted already.
template <bool kLifted>
class Corrector {
 public:
  explicit Corrector(const CorrectionTables& tables)
      : lift_(tables.lift),
        half_(hn::Set(D16(), static_cast<std::int16_t>(lift_ > 1 ? 1 << (lift_ - 2) : 0))),
        first_(hn::Set(D16(), tables.unrest[0])),
        second_(hn::Set(D16(), tables.unrest[1])) {
    for (unsigned tap = 0; tap < kReferenceTaps; ++tap)
      coefficients_[tap] = hn::LoadDup128(D16(), tables.coefficients[tap]);
  }

  // Of the values from `here` on, whose neighbours to the left and right are `step` values away; `above` and `below`
  // are those of the rows around. Returns the unrest.
  HWY_INLINE VU16 correct(const std::int16_t* above, const std::int16_t* here, const std::int16_t* below,
                          std::ptrdiff_t step, std::int16_t* out) const {
    const D16 d;
    const auto load = [&](const std::int16_t* from) HWY_ATTR {
      const V16 loaded = hn::LoadU(d, from);
      return kLifted ? loaded : hn::ShiftLeftSame(loaded, lift_);
    };
    const V16 value = load(here);
    const auto difference = [&](const std::int16_t* from) HWY_ATTR { return hn::Sub(load(from), value); };
    const auto mean = [](VU16 a, VU16 b) HWY_ATTR { return hn::AverageRound(a, b); };
    const auto size = [](V16 of) HWY_ATTR { return hn::BitCast(DU16(), hn::Abs(of)); };
    const V16 n = difference(above), s = difference(below), w = difference(here - step), e = difference(here + step);
    const VU16 unrest =
        hn::Min(mean(mean(size(n), size(s)), mean(size(w), size(e))), hn::Set(DU16(), std::uint16_t{32767}));
    const V16 signed_unrest = hn::BitCast(d, unrest), next_class = hn::Set(d, 0x0202);
    V16 index = hn::Set(d, 0x0100);
    index = hn::MaskedAddOr(index, hn::Gt(signed_unrest, first_), index, next_class);
    index = hn::MaskedAddOr(index, hn::Gt(signed_unrest, second_), index, next_class);
    const auto term = [&](unsigned tap, V16 tap_difference) HWY_ATTR {
      return hn::MulFixedPoint15(tap_difference, hn::TableLookupBytes(coefficients_[tap], index));
    };
    const V16 sides = hn::Add(hn::Add(term(0, n), term(1, s)), hn::Add(term(2, w), term(3, e)));
    const V16 corners = hn::Add(hn::Add(term(4, difference(above - step)), term(5, difference(above + step))),
                                hn::Add(term(6, difference(below - step)), term(7, difference(below + step))));
    hn::StoreU(hn::ShiftRightSame(hn::SaturatedAdd(hn::Add(sides, corners), half_), lift_ - 1), d, out);
    return unrest;
  }

 private:
  int lift_;
  V16 half_, first_, second_;
  V16 coefficients_[kReferenceTaps];
};

// What a reference adds to the values of a group's steps, those of even and of odd lanes apart, and its unrest there.
template <unsigned kLanes>
struct Corrections {
  HWY_ALIGN std::int16_t added[2][kGroup][kLanes / 2];
  HWY_ALIGN std::uint8_t unrest[kGroup][kLanes];
};

// Makes corrections group by group. A value's neighbour dx columns to the right and dy rows below comes dx + 2 dy steps
// later, in a lane dy further: the reference's values are brought into the order of steps, those of even and odd lanes
// apart, and beside them those of the lanes above the even and below the odd ones. Then all neighbours of a vector of
// values are vectors again, some steps away.
template <unsigned kLanes>
class CorrectionMaker {
  using D = hn::CappedTag<std::int16_t, kLanes / 2>;

 public:
  // `reference`: row by row.
  CorrectionMaker(const Correction& correction, const std::uint16_t* reference, const Steps& steps)
      : tables_(correction),
        reference_(reinterpret_cast<const std::int16_t*>(reference)),
        steps_(steps),
        columns_(static_cast<std::ptrdiff_t>(steps.size.columns)),
        rows_(static_cast<std::ptrdiff_t>(steps.size.rows)),
        period_(static_cast<std::ptrdiff_t>(steps.period)),
        x_(period_ - kSteps) {
    below_odd_[first_of(0) - 1] = 0;
    for (std::size_t part = 0; part < kParts; ++part) bring_next();
  }

  // Of the steps from `t` on, which go on from those of the last call.
  HWY_INLINE void make(std::ptrdiff_t t, Corrections<kLanes>& out) {
    correct(first_of((part_ + 1) % kParts), out);
    for (std::ptrdiff_t s = 0; s < kSteps && steps_.is_in_first_row(t + s); ++s) out.added[0][s][0] = 0;
    bring_next();
  }

 private:
  static constexpr std::ptrdiff_t kSteps = kGroup, kApart = kLanes;
  static constexpr std::ptrdiff_t kPlaces = kLanes + 2;  // place i is that of lane i - 1: one more on both sides
  static constexpr std::size_t kHalf = kLanes / 2;
  static constexpr std::size_t kParts = 3;   // groups before, at and behind those that are corrected
  static constexpr std::size_t kMargin = 4;  // steps: a neighbour is at most 3 away, and 4 of 16 lanes fill a vector
  static constexpr std::size_t kRoom = (2 * kMargin + kParts * kGroup) * kHalf;
  HWY_ALIGN static constexpr std::int16_t kNone[kGroup] = {};

  static std::size_t first_of(std::size_t part) { return (kMargin + part * kGroup) * kHalf; }

  // Where values of 16 steps are, by place.
  struct Places {
    const std::int16_t* of[kPlaces];
    HWY_ALIGN std::int16_t made[kPlaces][kGroup];  // of those that are not one after another
  };
  // Of the places from `begin` to `end`, whose lanes have a row of the slot. Lane 0 would be in its column `x` at the
  // first step; so place i is in column x + 2 - 2 i.
  HWY_INLINE void find(std::ptrdiff_t slot, std::ptrdiff_t x, std::ptrdiff_t begin, std::ptrdiff_t end,
                       Places& places) const {
    const std::ptrdiff_t y = slot * kApart - 1;  // of place 0
    const std::ptrdiff_t past = std::clamp(rows_ + 1 - y, begin, end);
    std::fill(places.of + past, places.of + end, kNone);
    std::ptrdiff_t whole = std::clamp((x + 2 + kSteps - columns_ + 1) >> 1, begin, past);  // from there on within a row
    if (slot < 0) {  // in front of their first rows
      whole = std::clamp((x + 2 + kSteps - period_ + 2) >> 1, begin, past);
      std::fill(places.of + whole, places.of + past, kNone);
    }
    for (std::ptrdiff_t i = begin; i < whole; ++i) places.of[i] = made_up(y + i, x + 2 - 2 * i, places.made[i]);
    if (slot < 0 || whole == past) return;
    const std::ptrdiff_t first = std::max(whole, -y), last = std::min(past, rows_ - y);  // rows that there are
    if (whole < first) places.of[whole] = kNone;
    for (std::ptrdiff_t i = first; i < last; ++i) places.of[i] = whole_row(y + i, x + 2 - 2 * i);
    if (whole <= last && last < past) places.of[last] = whole_row(rows_ - 1, x + 2 - 2 * last);  // below the last row
  }
  HWY_INLINE const std::int16_t* whole_row(std::ptrdiff_t y, std::ptrdiff_t x) const {
    const std::int16_t* const place = reference_ + y * columns_ + x;
    hwy::Prefetch(place + 2 * kSteps);
    return place;
  }
  // Values of row `y` from `x` on and what stands behind it, then what stands in front of the lane's next row, and its
  // values.
  HWY_NOINLINE const std::int16_t* made_up(std::ptrdiff_t y, std::ptrdiff_t x, std::int16_t* out) const {
    const auto row = [&](std::ptrdiff_t of) {
      return reference_ + std::clamp<std::ptrdiff_t>(of, 0, rows_ - 1) * columns_;
    };
    const std::int16_t *const here = row(y), *const next = row(y + kApart);
    const std::ptrdiff_t own = std::clamp<std::ptrdiff_t>(columns_ - x, 0, kSteps),
                         past = std::clamp<std::ptrdiff_t>(period_ - x, 0, kSteps);
    std::copy_n(here + std::min(x, columns_), own, out);
    std::fill(out + own, out + past, here[columns_ - 1]);
    if (past > 0 && x + past == period_) out[past - 1] = next[0];
    for (std::ptrdiff_t s = past; s < kSteps; ++s) out[s] = next[std::min(x + s - period_, columns_ - 1)];
    return out;
  }

  // Brings the next group's values into the order of steps.
  HWY_NOINLINE void bring_next() {
    Places places;
    const std::ptrdiff_t same = std::min(x_ / 2 + 2, kPlaces);
    find(slot_, x_, 0, same, places);
    find(slot_ - 1, x_ + period_, same, kPlaces, places);
    x_ += kSteps;
    if (x_ >= period_) x_ -= period_, ++slot_;
    spread(places.of, first_of(part_));
    for (std::int16_t* values : {even_, odd_, above_even_, below_odd_}) {  // the margins go around
      if (part_ == 0)
        std::copy_n(values + first_of(0), kMargin * kHalf, values + first_of(kParts));
      else if (part_ + 1 == kParts)
        std::copy_n(values + first_of(kParts) - kMargin * kHalf, kMargin * kHalf, values);
    }
    part_ = (part_ + 1) % kParts;
  }

  // Lifts values of 16 steps, those of a lane from its place on.
  HWY_INLINE void spread(const std::int16_t* const* places, std::size_t first) {
    const int lift = tables_.lift;
    const std::int16_t before = below_odd_[first - 1];  // which the first vector moved down covers
    for (std::size_t at = 0; at < kHalf; at += hn::Lanes(D())) {
      spread_vector(places + 1 + 2 * at, lift, even_ + first + at, below_odd_ + first + at - 1);
      spread_vector(places + 2 + 2 * at, lift, odd_ + first + at, above_even_ + first + at + 1);
    }
    below_odd_[first - 1] = before;
    for (std::size_t s = 0, to = first; s < kGroup; ++s, to += kHalf) {
      above_even_[to] = static_cast<std::int16_t>(places[0][s] * (1 << lift));
      below_odd_[to + kHalf - 1] = static_cast<std::int16_t>(places[kPlaces - 1][s] * (1 << lift));
    }
  }
  // Of a vector of every other lane; to `moved` once more.
  HWY_INLINE static void spread_vector(const std::int16_t* const* places, int lift, std::int16_t* to,
                                       std::int16_t* moved) {
    const D d;
    for (std::size_t half = 0; half < kGroup; half += 8, places = one_by_one(places)) {
      hn::Vec<D> v[8];
      for (std::size_t i = 0; i < 8; ++i)
        v[i] = blocks_of(d, [=](std::size_t lane) HWY_ATTR { return places[2 * i + lane] + half; });
      transpose(d, v);
      for (std::size_t i = 0; i < 8; ++i) {
        const hn::Vec<D> lifted = hn::ShiftLeftSame(v[i], lift);
        hn::Store(lifted, d, to + (half + i) * kHalf);
        hn::StoreU(lifted, d, moved + (half + i) * kHalf);
      }
    }
  }

  HWY_NOINLINE void correct(std::size_t first, Corrections<kLanes>& out) const {
    constexpr std::ptrdiff_t kStep = kHalf;
    const Corrector<true> corrector(tables_);
    const std::int16_t *const even = even_ + first, *const odd = odd_ + first, *const above_even = above_even_ + first,
                              *const below_odd = below_odd_ + first;
    for (std::ptrdiff_t i = 0; i < kSteps * kStep; i += static_cast<std::ptrdiff_t>(hn::Lanes(D16()))) {
      const VU16 of_even = corrector.correct(above_even + i - 2 * kStep, even + i, odd + i + 2 * kStep, kStep,
                                             &out.added[0][0][0] + i),
                 of_odd = corrector.correct(even + i - 2 * kStep, odd + i, below_odd + i + 2 * kStep, kStep,
                                            &out.added[1][0][0] + i);
      hn::Store(activities(of_even, of_odd, tables_.unrest_shift), DU8(), &out.unrest[0][0] + 2 * i);
    }
  }

  CorrectionTables tables_;
  const std::int16_t* reference_;
  const Steps& steps_;
  std::ptrdiff_t columns_, rows_, period_;
  std::size_t part_ = 0;          // the next one, from the group in front of the first on
  std::ptrdiff_t slot_ = -1, x_;  // where lane 0 is then
  HWY_ALIGN std::int16_t even_[kRoom], odd_[kRoom], above_even_[kRoom], below_odd_[kRoom];
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
