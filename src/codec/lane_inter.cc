#include "codec/lane_inter.h"

#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_inter.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// What correcting needs of a plane.
class Corrector {
 public:
  explicit Corrector(const CorrectionTables& tables)
      : lift_(tables.lift),
        half_(hn::Set(D16(), static_cast<std::int16_t>(lift_ > 1 ? 1 << (lift_ - 2) : 0))),
        most_(hn::Set(D16(), static_cast<std::int16_t>(32767 >> lift_))),
        first_(hn::Set(D16(), tables.unrest[0])),
        second_(hn::Set(D16(), tables.unrest[1])) {
    for (unsigned tap = 0; tap < kReferenceTaps; ++tap)
      coefficients_[tap] = hn::LoadDup128(D16(), tables.coefficients[tap]);
  }

  // Of the values from `here` on; `above` and `below` are those of the rows around. Returns the unrest.
  HWY_INLINE V16 correct(const std::int16_t* above, const std::int16_t* here, const std::int16_t* below,
                         std::int16_t* out) const {
    const D16 d;
    const V16 value = hn::LoadU(d, here);
    const auto difference = [&](const std::int16_t* from)
                                HWY_ATTR { return hn::SaturatedSub(hn::LoadU(d, from), value); };
    const auto size = [&](V16 of) HWY_ATTR { return hn::Abs(hn::Max(of, hn::Set(d, -32767))); };
    const V16 n = difference(above), s = difference(below), w = difference(here - 1), e = difference(here + 1);
    const V16 unrest = hn::SaturatedAdd(hn::SaturatedAdd(size(n), size(s)), hn::SaturatedAdd(size(w), size(e)));
    const V16 step = hn::Set(d, 0x0202);
    V16 index = hn::Set(d, 0x0100);
    index = hn::MaskedAddOr(index, hn::Gt(unrest, first_), index, step);
    index = hn::MaskedAddOr(index, hn::Gt(unrest, second_), index, step);
    const auto term = [&](unsigned tap, V16 tap_difference) HWY_ATTR {
      const V16 lifted = hn::ShiftLeftSame(hn::Min(hn::Max(tap_difference, hn::Neg(most_)), most_), lift_);
      return hn::MulFixedPoint15(lifted, hn::TableLookupBytes(coefficients_[tap], index));
    };
    const V16 sides = hn::Add(hn::Add(term(0, n), term(1, s)), hn::Add(term(2, w), term(3, e)));
    const V16 corners = hn::Add(hn::Add(term(4, difference(above - 1)), term(5, difference(above + 1))),
                                hn::Add(term(6, difference(below - 1)), term(7, difference(below + 1))));
    hn::StoreU(hn::ShiftRightSame(hn::SaturatedAdd(hn::Add(sides, corners), half_), lift_ - 1), d, out);
    return unrest;
  }

 private:
  int lift_;
  V16 half_, most_, first_, second_;
  V16 coefficients_[kReferenceTaps];
};

void correct_row(const CorrectionTables& tables, const ReferencePlane& reference, std::int64_t y,
                 std::int16_t* corrections, std::uint8_t* unrest) {
  const DU8 d8;
  const DU16 d16;
  constexpr std::size_t kHalf = HWY_MAX_BYTES / 2;
  const Corrector corrector(tables);
  const std::int16_t *above = reference.row(y - 1), *here = reference.row(y), *below = reference.row(y + 1);
  const std::size_t columns = reference.size().columns;
  const int shift = tables.unrest_shift;
  for (std::size_t x = 0; x < columns; x += 2 * kHalf) {
    const auto byte = [&](std::size_t at) HWY_ATTR {
      const VU16 whole = hn::BitCast(d16, corrector.correct(above + at, here + at, below + at, corrections + at));
      return hn::Min(hn::ShiftRightSame(whole, shift), hn::Set(d16, kMostActive));
    };
    const VU16 first = byte(x), second = byte(x + kHalf);
    hn::StoreU(activities(hn::OrderedTruncate2To(d8, first, second)), d8, unrest + x);
  }
}

void correct_runs(const CorrectionTables& tables, const ReferencePlane& reference, const SampleRuns& runs,
                  std::size_t every, std::int16_t* corrections) {
  const Corrector corrector(tables);
  for (std::size_t run = 0; run < runs.count(); run += every, corrections += SampleRuns::kRun) {
    const std::int64_t y = runs.row_of(run);
    const std::size_t x = runs.column_of(run);
    corrector.correct(reference.row(y - 1) + x, reference.row(y) + x, reference.row(y + 1) + x, corrections);
  }
}

void join_unrest(const std::uint8_t* unrest, std::uint8_t* around, std::size_t count) {
  const DU8 d;
  for (std::size_t x = 0; x < count; x += HWY_MAX_BYTES)
    hn::StoreU(joined(hn::LoadU(d, around + x), hn::LoadU(d, unrest + x)), d, around + x);
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(correct_row);
HWY_EXPORT(correct_runs);
HWY_EXPORT(join_unrest);

void correct_row(const CorrectionTables& tables, const ReferencePlane& reference, std::int64_t y,
                 std::int16_t* corrections, std::uint8_t* unrest) {
  HWY_DYNAMIC_DISPATCH(correct_row)(tables, reference, y, corrections, unrest);
}

void correct_runs(const CorrectionTables& tables, const ReferencePlane& reference, const SampleRuns& runs,
                  std::size_t every, std::int16_t* corrections) {
  HWY_DYNAMIC_DISPATCH(correct_runs)(tables, reference, runs, every, corrections);
}

void join_unrest(const std::uint8_t* unrest, std::uint8_t* around, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(join_unrest)(unrest, around, count);
}

CorrectionTables::CorrectionTables(const Correction& correction)
    : lift(correction.lift), unrest_shift(correction.unrest_shift), unrest(correction.unrest) {
  for (unsigned tap = 0; tap < kReferenceTaps; ++tap)
    for (unsigned c = 0; c < kReferenceClasses; ++c)
      coefficients[tap][c] = static_cast<std::int16_t>(correction.coefficients[c][tap] * 256);
}

template <class CopyRow>
void ReferencePlane::assign_rows(Size size, const CopyRow& copy_row) {
  size_ = size;
  stride_ = kLeft + size.columns + kRight;
  values_.resize(stride_ * (size.rows + std::size_t{2}));
  for (std::int64_t y = -1; y <= std::int64_t{size.rows}; ++y) {
    std::int16_t* to = values_.data() + static_cast<std::size_t>(y + 1) * stride_ + kLeft;
    copy_row(static_cast<std::size_t>(std::clamp<std::int64_t>(y, 0, std::int64_t{size.rows} - 1)) * size.columns, to);
    to[-1] = to[0];
    to[size.columns] = to[size.columns - 1];
  }
}

void ReferencePlane::assign(std::span<const std::uint16_t> values, Size size) {
  assign_rows(size, [&](std::size_t first, std::int16_t* to) {
    for (std::size_t x = 0; x < size.columns; ++x) to[x] = static_cast<std::int16_t>(values[first + x]);
  });
}

void ReferencePlane::assign(ByteSpan values, Size size) {
  assign_rows(size, [&](std::size_t first, std::int16_t* to) {
    for (std::size_t x = 0; x < size.columns; ++x)
      to[x] = static_cast<std::int16_t>(load_le<std::uint16_t>(values.data() + 2 * (first + x)));
  });
}

std::int16_t correct(const Correction& correction, const ReferenceTaps& taps) {
  const auto& coefficients = correction.coefficients[class_of(correction, taps.unrest)];
  const int most = 32767 >> correction.lift;
  std::int16_t sum = 0;
  for (unsigned tap = 0; tap < kReferenceTaps; ++tap) {
    const int lifted = std::clamp<int>(taps.differences[tap], -most, most) * (1 << correction.lift);
    sum = static_cast<std::int16_t>(sum + ((lifted * (coefficients[tap] * 256) + (1 << 14)) >> 15));
  }
  const int rounded = std::min(sum + (correction.lift > 1 ? 1 << (correction.lift - 2) : 0), 32767);
  return static_cast<std::int16_t>(rounded >> (correction.lift - 1));
}

}  // namespace dicube::codec::lane
#endif
