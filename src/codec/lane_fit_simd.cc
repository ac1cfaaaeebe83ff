// The samples that a prediction is fitted to, and sums of their products, in vectors.
#include <algorithm>

#include "codec/lane_simd.h"
#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_fit_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// The taps of a run, by sample.
HWY_INLINE void put_samples(hn::Vec128<std::int16_t>* taps, std::int16_t* out) {
  static_assert(SampleRuns::kTapPlaces == 8 && kReferenceTaps == 8 && SampleRuns::kRun == 8);
  const hn::Full128<std::int16_t> d;
  transpose(d, taps);
  for (unsigned sample = 0; sample < SampleRuns::kRun; ++sample) hn::StoreU(taps[sample], d, out + 8 * sample);
}

void spread_taps(std::span<const std::int16_t> taps, std::span<const std::uint16_t> places,
                 std::span<const Scale> scales, int shift, std::int16_t* columns) {
  const hn::Full128<std::int16_t> d;
  static_assert(SampleColumns::kTogether % 8 == 0);
  for (std::size_t i = 0; i < places.size(); i += 8) {
    hn::VFromD<decltype(d)> v[8];
    for (std::size_t sample = 0; sample < 8; ++sample) {
      const Scale scale = scales[i + sample];
      const auto own = hn::ShiftRightSame(hn::LoadU(d, &taps[8 * std::size_t{places[i + sample]}]), shift);
      v[sample] = hn::MulFixedPoint15(hn::Mul(own, hn::Set(d, scale.up)), hn::Set(d, scale.over));
    }
    transpose(d, v);
    for (std::size_t tap = 0; tap < 8; ++tap) hn::StoreU(v[tap], d, columns + tap * places.size() + i);
  }
}

void spread_values(std::span<const std::int16_t> values, std::span<const std::uint16_t> places,
                   std::span<const Scale> scales, int shift, std::int16_t* column) {
  for (std::size_t i = 0; i < places.size(); ++i) column[i] = values[places[i]];
  const hn::Full128<std::int16_t> d;
  const hn::Full128<std::int32_t> wide;
  const auto most = hn::Set(d, std::int16_t{4095}), least = hn::Set(d, std::int16_t{-4095});
  for (std::size_t i = 0; i < places.size(); i += 8) {
    hn::VFromD<decltype(d)> up, over;
    hn::LoadInterleaved2(d, &scales[i].up, up, over);
    const auto value = hn::ShiftRightSame(hn::LoadU(d, column + i), shift);
    const auto low = hn::Mul(hn::PromoteLowerTo(wide, value), hn::PromoteLowerTo(wide, up));
    const auto high = hn::Mul(hn::PromoteUpperTo(wide, value), hn::PromoteUpperTo(wide, up));
    const auto scaled = hn::MulFixedPoint15(hn::OrderedDemote2To(d, low, high), over);
    hn::StoreU(hn::Min(hn::Max(scaled, least), most), d, column + i);
  }
}

void take_samples(const RaisedPlane& raised, Size size, SampleRuns& samples) {
  constexpr std::uint32_t kRun = SampleRuns::kRun;
  const hn::FixedTag<std::int16_t, kRun> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  samples.per_row = (size.columns + kRun - 1) / kRun;
  const std::uint64_t runs = (size.rows - std::uint64_t{1}) * samples.per_row;
  const std::uint64_t most = std::clamp<std::uint64_t>(size.pixels() / 8, SampleRuns::kEnough, SampleRuns::kMost);
  samples.step = (runs / (most / kRun)) | 1;
  const std::size_t taken = (runs + samples.step - 1) / samples.step;
  samples.resize(taken * kRun);
  std::size_t at = 0;
  for (std::size_t run = 0; run < taken; ++run, at += kRun) {
    const std::int64_t y = samples.row_of(run);
    const std::size_t x = samples.column_of(run);
    const std::int16_t *here = raised.row(y) + x, *above = raised.row(y - 1) + x,
                       *top = raised.row(std::max<std::int64_t>(y - 2, -1)) + x;
    const auto w = hn::LoadU(d, here - 1), n = hn::LoadU(d, above), nw = hn::LoadU(d, above - 1),
               ne = hn::LoadU(d, above + 1);
    hn::VFromD<decltype(d)> taps[SampleRuns::kTapPlaces] = {hn::Sub(w, nw),
                                                            hn::Sub(w, hn::LoadU(d, here - 2)),
                                                            hn::Sub(n, nw),
                                                            hn::Sub(ne, n),
                                                            hn::Sub(hn::LoadU(d, top), n),
                                                            hn::Sub(hn::LoadU(d, top + 1), ne),
                                                            hn::Sub(nw, hn::LoadU(d, above - 2)),
                                                            hn::Zero(d)};
    auto gradient = hn::Zero(du);
    for (const auto& tap : taps) gradient = hn::SaturatedAdd(gradient, hn::BitCast(du, hn::Abs(tap)));
    const auto mean = [&](unsigned a, unsigned b) HWY_ATTR {
      return hn::AverageRound(hn::BitCast(du, hn::Abs(taps[a])), hn::BitCast(du, hn::Abs(taps[b])));
    };
    hn::StoreU(mean(2, 3), du, &samples.across[at]);
    hn::StoreU(mean(0, 4), du, &samples.down[at]);
    hn::StoreU(hn::Sub(hn::LoadU(d, here), n), d, &samples.values[at]);
    const auto inside = leading(du, x < size.columns ? size.columns - x : 0);
    hn::StoreU(hn::IfThenElseZero(inside, hn::Min(gradient, hn::Set(du, 32767))), du, &samples.gradients[at]);
    put_samples(taps, &samples.taps[SampleRuns::kTapPlaces * at]);
  }
}

void take_reference_samples(const ReferencePlane& reference, const SampleRuns& runs, ReferenceSamples& samples) {
  constexpr std::uint32_t kRun = SampleRuns::kRun;
  const hn::FixedTag<std::int16_t, kRun> d;
  const std::size_t taken = runs.count(), columns = reference.size().columns;
  samples.every = std::clamp<std::size_t>(taken / ReferenceSamples::kRuns, 1, 3);
  samples.resize((taken + samples.every - 1) / samples.every * kRun);
  std::size_t at = 0;
  for (std::size_t run = 0; run < taken; run += samples.every, at += kRun) {
    const std::int64_t y = runs.row_of(run);
    const std::size_t x = runs.column_of(run);
    const std::int16_t *here = reference.row(y) + x, *above = reference.row(y - 1) + x,
                       *below = reference.row(y + 1) + x;
    const auto value = hn::LoadU(d, here), least = hn::Set(d, -32767);
    const std::int16_t* const around[kReferenceTaps] = {above,     below,     here - 1,  here + 1,
                                                        above - 1, above + 1, below - 1, below + 1};
    hn::VFromD<decltype(d)> differences[kReferenceTaps];
    const hn::RebindToUnsigned<decltype(d)> du;
    auto largest = hn::Zero(d), sum = largest;
    auto sides = hn::Zero(du);
    for (unsigned tap = 0; tap < kReferenceTaps; ++tap) {
      differences[tap] = hn::Max(hn::SaturatedSub(hn::LoadU(d, around[tap]), value), least);
      const auto size = hn::Abs(differences[tap]);
      if (tap < 4) sides = hn::SaturatedAdd(sides, hn::BitCast(du, size));
      largest = hn::Max(largest, size);
      sum = hn::SaturatedAdd(sum, size);
    }
    const auto inside = leading(du, x < columns ? columns - x : 0);
    hn::StoreU(hn::IfThenElseZero(inside, sides), du, &samples.sides[at]);
    hn::StoreU(hn::IfThenElseZero(inside, hn::BitCast(du, largest)), du, &samples.largest[at]);
    hn::StoreU(hn::IfThenElseZero(inside, hn::BitCast(du, sum)), du, &samples.sums[at]);
    put_samples(differences, &samples.taps[kReferenceTaps * at]);
  }
}

// So many samples at a time, of whose products 32 bits hold the sums.
constexpr std::size_t kSummed = 512;

// The products with tap kTap of kCount and those behind it.
template <unsigned kCount, unsigned kTap = 0>
void add_summed(const std::int16_t* columns, std::size_t stride, std::size_t count, NormalOf<kCount>& normal) {
  const hn::ScalableTag<std::int16_t> d;
  const hn::RepartitionToWide<decltype(d)> d32;
  const hn::RepartitionToWide<decltype(d32)> d64;
  hn::Vec<decltype(d32)> sums[kCount + 1 - kTap];
  for (auto& sum : sums) sum = hn::Zero(d32);
  for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto own = hn::LoadU(d, columns + kTap * stride + i);
    for (unsigned other = kTap; other <= kCount; ++other)
      sums[other - kTap] =
          hn::Add(sums[other - kTap], hn::WidenMulPairwiseAdd(d32, own, hn::LoadU(d, columns + other * stride + i)));
  }
  const auto total = [&](unsigned other) HWY_ATTR {
    const auto sum = sums[other - kTap];
    return hn::ReduceSum(d64, hn::Add(hn::PromoteLowerTo(d64, sum), hn::PromoteUpperTo(d64, sum)));
  };
  for (unsigned other = kTap; other < kCount; ++other) normal.a[kTap][other] += total(other);
  normal.b[kTap] += total(kCount);
  if constexpr (kTap + 1 < kCount) add_summed<kCount, kTap + 1>(columns, stride, count, normal);
}

// What samples count, in 2^15ths, by what their values differ from those that are expected by coefficients.
template <unsigned kCount, class D>
hn::VFromD<D> shares(D d, const std::int16_t* columns, std::size_t stride, const Coefficients<kCount>& known) {
  auto missed = hn::ShiftRight<1>(hn::LoadU(d, columns + kCount * stride));
  for (unsigned tap = 0; tap < kCount; ++tap)
    missed = hn::Sub(missed, hn::MulFixedPoint15(hn::LoadU(d, columns + tap * stride),
                                                 hn::Set(d, static_cast<std::int16_t>(256 * known[tap]))));
  missed = hn::Abs(missed);
  auto near = hn::Set(d, kNear), share = hn::Set(d, std::int16_t{32767});
  const auto root_of_half = hn::Set(d, std::int16_t{23170});
  for (unsigned step = 0; step < 6; ++step) {
    share = hn::IfThenElse(hn::Gt(missed, near), hn::MulFixedPoint15(share, root_of_half), share);
    near = hn::Add(near, near);
  }
  return share;
}

template <unsigned kCount>
void add_products_of(const std::int16_t* columns, std::size_t stride, std::size_t count,
                     const Coefficients<kCount>* known, NormalOf<kCount>& normal) {
  const hn::ScalableTag<std::int16_t> d;
  HWY_ALIGN std::int16_t shared[(kCount + 1) * kSummed];
  for (std::size_t first = 0; first < count; first += kSummed) {
    const std::size_t summed = std::min(kSummed, count - first);
    if (known == nullptr) {
      add_summed(columns + first, stride, summed, normal);
      continue;
    }
    for (std::size_t i = 0; i < summed; i += hn::Lanes(d)) {
      const auto share = shares<kCount>(d, columns + first + i, stride, *known);
      for (unsigned column = 0; column <= kCount; ++column)
        hn::Store(hn::MulFixedPoint15(hn::LoadU(d, columns + column * stride + first + i), share), d,
                  shared + column * kSummed + i);
    }
    add_summed(shared, kSummed, summed, normal);
  }
}
void add_own_products(const std::int16_t* columns, std::size_t stride, std::size_t count,
                      const Coefficients<kTaps>* known, Normal& normal) {
  add_products_of<kTaps>(columns, stride, count, known, normal);
}
void add_joint_products(const std::int16_t* columns, std::size_t stride, std::size_t count,
                        const Coefficients<kBothTaps>* known, JointNormal& normal) {
  add_products_of<kBothTaps>(columns, stride, count, known, normal);
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(take_samples);
HWY_EXPORT(take_reference_samples);
HWY_EXPORT(spread_taps);
HWY_EXPORT(spread_values);
HWY_EXPORT(add_own_products);
HWY_EXPORT(add_joint_products);

void take_samples(const RaisedPlane& raised, Size size, SampleRuns& samples) {
  HWY_DYNAMIC_DISPATCH(take_samples)(raised, size, samples);
}

void take_reference_samples(const ReferencePlane& reference, const SampleRuns& runs, ReferenceSamples& samples) {
  HWY_DYNAMIC_DISPATCH(take_reference_samples)(reference, runs, samples);
}

void spread_taps(std::span<const std::int16_t> taps, std::span<const std::uint16_t> places,
                 std::span<const Scale> scales, int shift, std::int16_t* columns) {
  HWY_DYNAMIC_DISPATCH(spread_taps)(taps, places, scales, shift, columns);
}

void spread_values(std::span<const std::int16_t> values, std::span<const std::uint16_t> places,
                   std::span<const Scale> scales, int shift, std::int16_t* column) {
  HWY_DYNAMIC_DISPATCH(spread_values)(values, places, scales, shift, column);
}

void add_products(const std::int16_t* columns, std::size_t stride, std::size_t count, const Coefficients<kTaps>* known,
                  Normal& normal) {
  HWY_DYNAMIC_DISPATCH(add_own_products)(columns, stride, count, known, normal);
}

void add_products(const std::int16_t* columns, std::size_t stride, std::size_t count,
                  const Coefficients<kBothTaps>* known, JointNormal& normal) {
  HWY_DYNAMIC_DISPATCH(add_joint_products)(columns, stride, count, known, normal);
}

}  // namespace dicube::codec::lane
#endif
