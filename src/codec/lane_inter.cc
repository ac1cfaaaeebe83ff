#include "codec/lane_inter.h"

#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_inter.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_corrections-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

void correct_row(const CorrectionTables& tables, const ReferencePlane& reference, std::int64_t y,
                 std::int16_t* corrections, std::uint8_t* unrest) {
  const DU8 d8;
  const DU16 d16;
  constexpr std::size_t kHalf = HWY_MAX_BYTES / 2;
  const Corrector<false> corrector(tables);
  const std::int16_t *above = reference.row(y - 1), *here = reference.row(y), *below = reference.row(y + 1);
  const std::size_t columns = reference.size().columns;
  const int shift = tables.unrest_shift;
  for (std::size_t x = 0; x < columns; x += 2 * kHalf) {
    const auto byte = [&](std::size_t at) HWY_ATTR {
      const VU16 whole = corrector.correct(above + at, here + at, below + at, 1, corrections + at);
      return hn::Min(hn::ShiftRightSame(whole, shift), hn::Set(d16, kMostActive));
    };
    const VU16 first = byte(x), second = byte(x + kHalf);
    hn::StoreU(activities(hn::OrderedTruncate2To(d8, first, second)), d8, unrest + x);
  }
}

void correct_runs(const CorrectionTables& tables, const ReferencePlane& reference, const SampleRuns& runs,
                  std::size_t every, std::int16_t* corrections) {
  const Corrector<false> corrector(tables);
  for (std::size_t run = 0; run < runs.count(); run += every, corrections += SampleRuns::kRun) {
    const std::int64_t y = runs.row_of(run);
    const std::size_t x = runs.column_of(run);
    corrector.correct(reference.row(y - 1) + x, reference.row(y) + x, reference.row(y + 1) + x, 1, corrections);
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

void ReferencePlane::assign(std::span<const std::uint16_t> values, Size size) {
  size_ = size;
  stride_ = kLeft + size.columns + kRight;
  values_.resize(stride_ * (size.rows + std::size_t{2}));
  for (std::int64_t y = -1; y <= std::int64_t{size.rows}; ++y) {
    const auto row = static_cast<std::size_t>(std::clamp<std::int64_t>(y, 0, std::int64_t{size.rows} - 1));
    std::int16_t* to = values_.data() + static_cast<std::size_t>(y + 1) * stride_ + kLeft;
    std::copy_n(values.data() + row * size.columns, size.columns, to);
    to[-1] = to[0];
    to[size.columns] = to[size.columns - 1];
  }
}

std::int16_t correct(const Correction& correction, const ReferenceTaps& taps) {
  const auto& coefficients = correction.coefficients[class_of(correction, taps.unrest)];
  std::int16_t sum = 0;
  for (unsigned tap = 0; tap < kReferenceTaps; ++tap)
    sum = static_cast<std::int16_t>(sum + ((taps.differences[tap] * (coefficients[tap] * 256) + (1 << 14)) >> 15));
  const int rounded = std::min(sum + (correction.lift > 1 ? 1 << (correction.lift - 2) : 0), 32767);
  return static_cast<std::int16_t>(rounded >> (correction.lift - 1));
}

}  // namespace dicube::codec::lane
#endif
