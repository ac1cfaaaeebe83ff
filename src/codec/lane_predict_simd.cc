// From a plane to its magnitudes, in vectors: gaps closed, values predicted, the activities around.
#include <algorithm>

#include "codec/lane_simd.h"
#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_predict_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// The rows that values of row `y` > 0 are expected from, and the values.
struct Rows {
  Rows(const RaisedPlane& raised, const std::int16_t* coded, Size size, std::int64_t y)
      : here(raised.row(y)),
        above(raised.row(y - 1)),
        top(raised.row(std::max<std::int64_t>(y - 2, -1))),
        values(coded + static_cast<std::size_t>(y) * size.columns),
        columns(size.columns) {}
  const std::int16_t *here, *above, *top, *values;
  std::size_t columns;
};

// What the values from column `x` on are less what is expected; of those behind the end anything.
HWY_INLINE V16 residuals_at(const Predictor& predictor, const Rows& rows, std::size_t x) {
  const D16 d;
  const auto load = [&](const std::int16_t* row, std::ptrdiff_t offset)
                        HWY_ATTR { return hn::LoadU(d, row + x + offset); };
  Neighbourhood at;
  at.w = load(rows.here, -1);
  at.ww = load(rows.here, -2);
  at.n = load(rows.above, 0);
  at.nw = load(rows.above, -1);
  at.ne = load(rows.above, 1);
  at.nne = load(rows.top, 1);
  at.set_differences();
  at.across[1] = hn::Sub(at.n, at.nw);
  at.across[2] = hn::Sub(at.nw, load(rows.above, -2));
  at.down[1] = hn::Sub(load(rows.top, 0), at.n);
  const V16 expected = predictor.raise() < 0 ? predictor.predict<true>(at) : predictor.predict<false>(at);
  return hn::Sub(hn::LoadN(d, rows.values + x, rows.columns - x), expected);
}
HWY_INLINE void put_magnitudes(V16 residuals, std::uint16_t* out) {
  const V16 magnitudes = hn::Xor(hn::Add(residuals, residuals), hn::BroadcastSignBit(residuals));
  hn::StoreU(hn::BitCast(DU16(), magnitudes), DU16(), out);
}

void predict_rows(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, Size size,
                  std::uint16_t* out, std::size_t stride) {
  const Predictor predictor(plane);
  for (std::uint32_t y = 1; y < size.rows; ++y) {
    const Rows rows(raised, coded, size, y);
    for (std::size_t x = 0; x < size.columns; x += hn::Lanes(D16()))
      put_magnitudes(residuals_at(predictor, rows, x), out + y * stride + x);
  }
}

void predict_runs(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, Size size,
                  const SampleRuns& runs, std::size_t every, const std::int16_t* corrections, std::uint16_t* out) {
  const Predictor predictor(plane);
  for (std::size_t run = 0, at = 0; run < runs.count(); run += every, at += SampleRuns::kRun) {
    const V16 residuals = residuals_at(predictor, Rows(raised, coded, size, runs.row_of(run)), runs.column_of(run));
    put_magnitudes(corrections == nullptr ? residuals : hn::Sub(residuals, hn::LoadU(D16(), corrections + at)),
                   out + at);
  }
}

void find_activities(const std::uint16_t* magnitudes, std::uint32_t columns, unsigned shift, const std::uint8_t* above,
                     const std::uint8_t* top, std::uint8_t* own, std::uint8_t* around) {
  const DU8 d;
  const DU16 d16;
  constexpr std::size_t kBytes = HWY_MAX_BYTES;
  const VU16 most = hn::Set(d16, kMostActive);
  const int first_shift = static_cast<int>(shift / 2);  // all 16 bits can't be shifted out at once
  for (std::size_t x = 0; x < columns; x += kBytes) {
    const auto byte = [&](std::size_t at) HWY_ATTR {
      const VU16 some = hn::ShiftRightSame(hn::LoadU(d16, magnitudes + at), first_shift);
      return hn::Min(hn::ShiftRightSame(some, static_cast<int>(shift) - first_shift), most);
    };
    const VU8 values = activities(hn::OrderedTruncate2To(d, byte(x), byte(x + kBytes / 2)));
    hn::StoreU(hn::IfThenElseZero(leading(d, columns - x), values), d, own + x);
  }
  for (std::size_t x = 0; x < columns; x += kBytes)
    hn::StoreU(activity_index(d, own + x, above + x, top + x), d, around + x);
}

#if HWY_TARGET <= HWY_AVX3_DL
constexpr std::uint16_t kLookedUp = 128;
HWY_INLINE VU8 looked_up(const std::uint8_t* table, VU8 index) { return of_128(table, index); }
#else
constexpr std::uint16_t kLookedUp = 64;
HWY_INLINE VU8 looked_up(const std::uint8_t* table, VU8 index) { return of_64(table, index); }
#endif

void find_classes(const std::uint16_t* magnitudes, std::uint32_t columns, unsigned low_bits,
                  const std::uint8_t* class_of, std::uint8_t* out) {
  const DU8 d;
  const DU16 d16;
  constexpr std::size_t kBytes = HWY_MAX_BYTES;
  const VU16 most = hn::Set(d16, kLookedUp);
  for (std::size_t x = 0; x < columns; x += kBytes) {
    const auto word = [&](std::size_t at) HWY_ATTR {
      return hn::Min(hn::ShiftRightSame(hn::LoadU(d16, magnitudes + at), static_cast<int>(low_bits)), most);
    };
    const VU8 few = hn::OrderedTruncate2To(d, word(x), word(x + kBytes / 2));
    hn::StoreU(looked_up(class_of, hn::And(few, hn::Set(d, kLookedUp - 1))), d, out + x);
    const auto beyond = hn::And(hn::Eq(few, hn::Set(d, std::uint8_t{kLookedUp})), leading(d, columns - x));
    if (HWY_LIKELY(hn::AllFalse(d, beyond))) continue;
    for (std::uint64_t left = hn::BitsFromMask(d, beyond); left != 0; left &= left - 1) {
      const std::size_t at = x + static_cast<std::size_t>(std::countr_zero(left));
      out[at] = class_of[magnitudes[at] >> low_bits];
    }
  }
}

template <std::size_t kGaps>
bool look_into(std::span<const std::uint16_t> values, const OpenGaps& open, std::uint16_t low, std::uint8_t* seen) {
  const DU16 d;
  VU16 starts[kGaps + 1], lengths[kGaps + 1];
  for (std::size_t gap = 0; gap < kGaps; ++gap) {
    starts[gap] = hn::Set(d, static_cast<std::uint16_t>(low + open.starts[gap]));
    lengths[gap] = hn::Set(d, open.lengths[gap]);
  }
  // Not 0 for values in gaps.
  const auto found = [&](VU16 value) HWY_ATTR {
    VU16 any = hn::Zero(d);
    for (std::size_t gap = 0; gap < kGaps; ++gap)
      any = hn::Or(any, hn::SaturatedSub(lengths[gap], hn::Sub(value, starts[gap])));
    return any;
  };
  constexpr std::size_t kAtOnce = 512;
  static_assert(kAtOnce % (HWY_MAX_BYTES / 2) == 0);
  bool found_any = false;
  for (std::size_t at = 0; at < values.size(); at += kAtOnce) {
    const std::span<const std::uint16_t> some = values.subspan(at, std::min(kAtOnce, values.size() - at));
    bool here = some.size() < kAtOnce;
    if (!here) {
      VU16 any = hn::Zero(d);
      for (std::size_t i = 0; i < kAtOnce; i += hn::Lanes(d)) any = hn::Or(any, found(hn::LoadU(d, &some[i])));
      here = !hn::AllTrue(d, hn::Eq(any, hn::Zero(d)));
    }
    if (!here) continue;
    for (const std::uint16_t value : some) {
      const auto above = static_cast<std::uint16_t>(value - low);
      for (std::size_t gap = 0; gap < kGaps; ++gap)
        found_any |= static_cast<std::uint16_t>(above - open.starts[gap]) < open.lengths[gap];
      seen[above] = 1;
    }
  }
  return found_any;
}

bool look_into_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::uint16_t low, std::uint8_t* seen) {
  return with_few_gaps(gaps.size(), [&](auto count) { return look_into<count>(values, OpenGaps(gaps), low, seen); });
}

template <std::size_t kGaps>
void close(std::span<const std::uint16_t> values, const OpenGaps& open, std::uint16_t low, std::uint16_t centre,
           std::int16_t* out) {
  const DU16 d;
  const D16 di;
  VU16 ends[kGaps + 1], lengths[kGaps + 1];
  for (std::size_t gap = 0; gap < kGaps; ++gap) {
    ends[gap] = hn::Set(d, open.ends[gap]);
    lengths[gap] = hn::Set(d, open.lengths[gap]);
  }
  const auto closed = [&](VU16 value) HWY_ATTR {
    const VU16 above = hn::Sub(value, hn::Set(d, low));
    value = hn::Sub(value, hn::Set(d, centre));
    for (std::size_t gap = 0; gap < kGaps; ++gap)
      value = hn::Sub(value, hn::IfThenElseZero(hn::Ge(above, ends[gap]), lengths[gap]));
    return hn::BitCast(di, value);
  };
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= values.size(); i += hn::Lanes(d))
    hn::StoreU(closed(hn::LoadU(d, &values[i])), di, out + i);
  if (i < values.size())
    hn::StoreN(closed(hn::LoadN(d, &values[i], values.size() - i)), di, out + i, values.size() - i);
}

void close_few_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::int32_t low, std::uint16_t centre,
                    std::int16_t* out) {
  with_few_gaps(gaps.size(), [&](auto count) {
    close<count>(values, OpenGaps(gaps), static_cast<std::uint16_t>(low), centre, out);
  });
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(predict_rows);
HWY_EXPORT(predict_runs);
HWY_EXPORT(find_activities);
HWY_EXPORT(find_classes);
HWY_EXPORT(look_into_gaps);
HWY_EXPORT(close_few_gaps);

void predict_rows(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, Size size,
                  std::uint16_t* out, std::size_t stride) {
  HWY_DYNAMIC_DISPATCH(predict_rows)(plane, raised, coded, size, out, stride);
}

void predict_runs(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, Size size,
                  const SampleRuns& runs, std::size_t every, const std::int16_t* corrections, std::uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(predict_runs)(plane, raised, coded, size, runs, every, corrections, out);
}

void find_activities(const std::uint16_t* magnitudes, std::uint32_t columns, unsigned shift, const std::uint8_t* above,
                     const std::uint8_t* top, std::uint8_t* own, std::uint8_t* around) {
  HWY_DYNAMIC_DISPATCH(find_activities)(magnitudes, columns, shift, above, top, own, around);
}

void find_classes(const std::uint16_t* magnitudes, std::uint32_t columns, unsigned low_bits,
                  const std::uint8_t* class_of, std::uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(find_classes)(magnitudes, columns, low_bits, class_of, out);
}

bool look_into_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::uint16_t low, std::uint8_t* seen) {
  return HWY_DYNAMIC_DISPATCH(look_into_gaps)(values, gaps, low, seen);
}

void close_few_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::int32_t low, std::uint16_t centre,
                    std::int16_t* out) {
  HWY_DYNAMIC_DISPATCH(close_few_gaps)(values, gaps, low, centre, out);
}

}  // namespace dicube::codec::lane
#endif
