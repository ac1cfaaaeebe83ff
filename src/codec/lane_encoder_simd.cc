// The encoder's work in vectors.
#include <algorithm>
#include <bit>

#include "codec/lane_gaps.h"
#include "codec/lane_simd.h"
#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_encoder_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// The taps of a run, by sample.
HWY_INLINE void put_samples(hn::Vec128<std::int16_t>* taps, std::int16_t* out) {
  static_assert(kTaps == 8 && kReferenceTaps == 8 && SampleRuns::kRun == 8);
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
    hn::VFromD<decltype(d)> taps[kTaps] = {hn::Sub(w, nw),
                                           hn::Sub(w, hn::LoadU(d, here - 2)),
                                           hn::Sub(n, nw),
                                           hn::Sub(ne, n),
                                           hn::Sub(hn::LoadU(d, top), n),
                                           hn::Sub(hn::LoadU(d, top + 1), ne),
                                           hn::Sub(nw, hn::LoadU(d, above - 2)),
                                           hn::Sub(hn::LoadU(d, top - 1), nw)};
    auto gradient = hn::Zero(du);
    for (const auto& tap : taps) gradient = hn::SaturatedAdd(gradient, hn::BitCast(du, hn::Abs(tap)));
    const auto across = hn::SaturatedAdd(hn::Abs(taps[1]), hn::SaturatedAdd(hn::Abs(taps[2]), hn::Abs(taps[3])));
    const auto down = hn::SaturatedAdd(hn::Abs(taps[0]), hn::SaturatedAdd(hn::Abs(taps[4]), hn::Abs(taps[5])));
    const auto is_across = hn::Gt(across, hn::SaturatedAdd(down, down)),
               is_down = hn::Gt(down, hn::SaturatedAdd(across, across));
    hn::StoreU(hn::IfThenElse(is_across, hn::Set(d, 1), hn::IfThenElseZero(is_down, hn::Set(d, 2))), d,
               &samples.edges[at]);
    hn::StoreU(hn::SaturatedAdd(across, down), d, &samples.unrest[at]);
    hn::StoreU(hn::Sub(hn::LoadU(d, here), n), d, &samples.values[at]);
    const auto inside = leading(du, x < size.columns ? size.columns - x : 0);
    hn::StoreU(hn::IfThenElseZero(inside, hn::Min(gradient, hn::Set(du, 32767))), du, &samples.gradients[at]);
    put_samples(taps, &samples.taps[kTaps * at]);
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
    auto unrest = hn::Zero(d), largest = unrest, sum = unrest;
    for (unsigned tap = 0; tap < kReferenceTaps; ++tap) {
      differences[tap] = hn::Max(hn::SaturatedSub(hn::LoadU(d, around[tap]), value), least);
      const auto size = hn::Abs(differences[tap]);
      if (tap < 4) unrest = hn::SaturatedAdd(unrest, size);
      largest = hn::Max(largest, size);
      sum = hn::SaturatedAdd(sum, size);
    }
    const hn::RebindToUnsigned<decltype(d)> du;
    const auto inside = leading(du, x < columns ? columns - x : 0);
    hn::StoreU(hn::IfThenElseZero(inside, hn::BitCast(du, unrest)), du, &samples.unrest[at]);
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
  at.down[2] = hn::Sub(load(rows.top, -1), at.nw);
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
  const VU16 most = hn::Set(d16, 255);
  for (std::size_t x = 0; x < columns; x += kBytes) {
    const auto byte = [&](std::size_t at) HWY_ATTR {
      return hn::Min(hn::ShiftRightSame(hn::LoadU(d16, magnitudes + at), static_cast<int>(shift)), most);
    };
    const VU8 values = activities(hn::OrderedTruncate2To(d, byte(x), byte(x + kBytes / 2)));
    hn::StoreU(hn::IfThenElseZero(leading(d, columns - x), values), d, own + x);
    hn::StoreU(activity_index(d, above + x, top + x), d, around + x);
  }
}

// ------------------------------------------------------------------------------------------------- gaps

template <std::size_t kGaps>
bool look_into(std::span<const std::uint16_t> values, const OpenGaps& open, std::uint16_t low, std::uint8_t* seen) {
  const DU16 d;
  VU16 starts[kGaps + 1], most[kGaps + 1];
  for (std::size_t gap = 0; gap < kGaps; ++gap) {
    starts[gap] = hn::Set(d, static_cast<std::uint16_t>(low + open.starts[gap]));
    most[gap] = hn::Set(d, static_cast<std::uint16_t>(open.lengths[gap] - 1));
  }
  const auto found = [&](VU16 value) HWY_ATTR {
    auto any = hn::MaskFalse(d);
    for (std::size_t gap = 0; gap < kGaps; ++gap) {
      const VU16 above = hn::Sub(value, starts[gap]);
      any = hn::Or(any, hn::Eq(hn::Min(above, most[gap]), above));
    }
    return any;
  };
  constexpr std::size_t kAtOnce = 512;
  static_assert(kAtOnce % (HWY_MAX_BYTES / 2) == 0);
  bool found_any = false;
  for (std::size_t at = 0; at < values.size(); at += kAtOnce) {
    const std::span<const std::uint16_t> some = values.subspan(at, std::min(kAtOnce, values.size() - at));
    bool here = some.size() < kAtOnce;
    if (!here) {
      auto any = hn::MaskFalse(d);
      for (std::size_t i = 0; i < kAtOnce; i += hn::Lanes(d)) any = hn::Or(any, found(hn::LoadU(d, &some[i])));
      here = !hn::AllFalse(d, any);
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

// ------------------------------------------------------------------------------------------------- residuals

// Codes residuals block by block, from the last to the first, as their decoder takes them in turn.
class ResidualWriter {
 public:
  ResidualWriter(const Plane& plane, const ContextOfBin& context_of_bin, std::uint16_t* end)
      : low_bits_(plane.low_bits), next_(end) {
    const Tables tables = make_tables(plane);
    for (unsigned context = 0; context < plane.contexts.size(); ++context)
      for (unsigned token = 0; token < kTokens; ++token) {
        // What was not met when tokens were counted is escaped.
        const std::size_t to = context + 16 * token,
                          from =
                              kTokens * context + (tables.frequency[kTokens * context + token] > 0 ? token : kEscape);
        first_[to] = magnitude_classes().first[plane.contexts[context].family][token];
        frequency_[to] = tables.frequency[from];
        start_[to] = tables.start[from];
        raw_bits_[to] = tables.raw_bits[from];
        base_[to] = static_cast<std::uint8_t>(tables.base[from]);
      }
    std::copy(context_of_bin.begin(), context_of_bin.end(), context_);
    std::fill(states_, states_ + kMostLanes, kLeastState);
  }

  // REQUIRES: a block of `count` residuals, the first of lane `lane`. May be read up to the end of a whole block.
  HWY_INLINE void write(const std::uint16_t* magnitudes, const std::uint8_t* bins, const std::uint8_t* classes,
                        std::size_t count, unsigned lane) {
    if (count == kBlock)
      write_block<true>(magnitudes, bins, classes, count, states_ + lane);
    else
      write_block<false>(magnitudes, bins, classes, count, states_ + lane);
  }

  // The word written last; the states of `lanes` lanes go to `states`.
  std::uint16_t* end(unsigned lanes, std::uint32_t* states) const {
    for (unsigned lane = 0; lane < lanes; ++lane) states[lane] = states_[place(lane)];
    return next_;
  }

 private:
  static constexpr std::size_t kBytes = HWY_MAX_BYTES, kParts = kBlock / kBytes, kDwords = kBytes / 4;
  static_assert(kBlock % kBytes == 0);

  // What the coder must know of bytes' symbols.
  struct Symbols {
    VU8 frequency, start, bits, base;
    hn::Mask<DU8> escaped;
  };
#if HWY_TARGET <= HWY_AVX3_DL
  HWY_INLINE Symbols symbols(VU8 context, VU8 magnitude_class) const {
    const DU8 d;
    VU8 at = context;
    for (unsigned token = 1; token < kTokens; ++token)
      at = hn::MaskedAddOr(
          at, hn::Ge(magnitude_class, hn::TableLookupBytes(hn::LoadDup128(d, first_ + 16 * token), context)), at,
          hn::Set(d, 16));
    const VU8 start = of_128(start_, at);
    return {of_128(frequency_, at), start, of_128(raw_bits_, at), of_128(base_, at),
            hn::Eq(start, hn::TableLookupBytes(hn::LoadDup128(d, start_ + 16 * kEscape), context))};
  }
#else
  HWY_INLINE Symbols symbols(VU8 context, VU8 magnitude_class) const {
    const DU8 d;
    const hn::RebindToSigned<DU8> signed_bytes;  // classes are below 128
    HWY_FENCE;                                   // the tables stay in memory: there are more of them than registers
    const auto of = [&](const std::uint8_t* table, unsigned token)
                        HWY_ATTR { return hn::TableLookupBytes(hn::LoadDup128(d, table + 16 * token), context); };
    Symbols found{of(frequency_, 0), of(start_, 0), of(raw_bits_, 0), of(base_, 0), hn::MaskFalse(d)};
    for (unsigned token = 1; token < kTokens; ++token) {
      const auto before = hn::RebindMask(
          d, hn::Gt(hn::BitCast(signed_bytes, of(first_, token)), hn::BitCast(signed_bytes, magnitude_class)));
      found.frequency = hn::IfThenElse(before, found.frequency, of(frequency_, token));
      found.start = hn::IfThenElse(before, found.start, of(start_, token));
      found.bits = hn::IfThenElse(before, found.bits, of(raw_bits_, token));
      found.base = hn::IfThenElse(before, found.base, of(base_, token));
    }
    found.escaped = hn::Eq(found.start, of(start_, kEscape));
    return found;
  }
#endif

  // The low bytes of magnitudes without their low bits.
  HWY_INLINE VU8 low_bytes(const std::uint16_t* magnitudes) const {
    const DU16 d;
    const auto half = [&](std::size_t i)
                          HWY_ATTR { return hn::ShiftRightSame(hn::LoadU(d, magnitudes + i * kBytes / 2), low_bits_); };
    return hn::OrderedTruncate2To(DU8(), half(0), half(1));
  }

  // value / divisor for value < 2^24 divisor. What floating point estimates from below, integers then make exact.
  HWY_INLINE static VU32 divided(VU32 value, VU32 divisor) {
    const DU32 d;
    const hn::RebindToFloat<DU32> df;
    const hn::RebindToSigned<DU32> di;
    const auto reciprocal = hn::Div(hn::Set(df, 1.0F), hn::ConvertTo(df, hn::BitCast(di, divisor)));
    const auto below = hn::Mul(reciprocal, hn::Set(df, 2.0F - 2.0F / (1 << 21)));
    const auto half = hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<1>(value)));  // signs are cheaper to convert
    const VU32 least = hn::BitCast(d, hn::ConvertTo(di, hn::Mul(half, below)));
    const VU32 rest = hn::Sub(value, hn::Mul(least, divisor));  // less than 16 times the divisor
    const auto more = hn::Mul(hn::Add(hn::ConvertTo(df, hn::BitCast(di, rest)), hn::Set(df, 0.5F)), reciprocal);
    return hn::Add(least, hn::BitCast(d, hn::ConvertTo(di, more)));
  }

  template <bool kAll>
  HWY_INLINE void write_block(const std::uint16_t* magnitudes, const std::uint8_t* bins, const std::uint8_t* classes,
                              std::size_t count, std::uint32_t* states) {
    const DU8 d;
    Symbols found[kParts];
    VU8 raw[kParts];
    bool any_escape = false;
    for (std::size_t p = 0; p < kParts; ++p) {
      found[p] = symbols(of_64(context_, hn::LoadU(d, bins + p * kBytes)), hn::LoadU(d, classes + p * kBytes));
      raw[p] = hn::And(hn::Sub(low_bytes(magnitudes + p * kBytes), found[p].base),
                       hn::TableLookupBytes(hn::LoadDup128(d, kLowMasks), found[p].bits));
      if constexpr (!kAll)
        found[p].escaped = hn::And(found[p].escaped, leading(d, count - std::min(count, p * kBytes)));
      any_escape |= !hn::AllFalse(d, found[p].escaped);
    }
    std::uint16_t words[2 * kBlock + kDwords];
    std::uint16_t* end = words;
    for (std::size_t p = 0; p < kParts; ++p) end = put<0, kAll>(found[p], raw[p], p, count, states, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put<1, kAll>(found[p], raw[p], p, count, states, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put<2, kAll>(found[p], raw[p], p, count, states, end);
    for (std::size_t p = 0; p < kParts; ++p) end = put<3, kAll>(found[p], raw[p], p, count, states, end);
    if (HWY_UNLIKELY(any_escape)) {
      std::uint8_t bits[kBlock / 8 + 8] = {};
      for (std::size_t p = 0; p < kParts; ++p) hn::StoreMaskBits(d, found[p].escaped, bits + p * kBytes / 8);
      for (auto left = load_le<std::uint64_t>(reinterpret_cast<const std::byte*>(bits)); left != 0; left &= left - 1)
        *end++ = static_cast<std::uint16_t>(magnitudes[std::countr_zero(left)] >> low_bits_);
    }
    next_ -= end - words;
    std::copy(words, end, next_);
  }

  // Puts the symbols of lanes 4 i + kLane into their states; the words that those were too full for go to `words`.
  template <unsigned kLane, bool kAll>
  HWY_INLINE static std::uint16_t* put(const Symbols& of, VU8 raw, std::size_t part, std::size_t count,
                                       std::uint32_t* states, std::uint16_t* words) {
    const DU32 d;
    std::uint32_t* place = states + kLane * kBlock / 4 + part * kDwords;
    const VU32 state = hn::Load(d, place), frequency = byte_of<kLane>(of.frequency), bits = byte_of<kLane>(of.bits);
    auto full = hn::Ge(state, hn::Shl(frequency, hn::Sub(hn::Set(d, 24), bits)));
    [[maybe_unused]] const std::size_t before = kLane + part * kBytes,
                                       here = count > before ? (count - before + 3) / 4 : 0;
    if constexpr (!kAll) full = hn::And(full, leading(d, here));
    std::uint16_t* const end = put_words(state, full, words);
    const VU32 room = hn::IfThenElse(full, hn::ShiftRight<16>(state), state);
    const VU32 value = hn::Or(hn::Shl(room, bits), byte_of<kLane>(raw));
    VU32 after = hn::Add(hn::Add(value, byte_of<kLane>(of.start)),
                         hn::Mul(divided(value, frequency), hn::Sub(hn::Set(d, 256), frequency)));
    if constexpr (!kAll) after = hn::IfThenElse(leading(d, here), after, state);
    hn::Store(after, d, place);
    return end;
  }

  int low_bits_;
  std::uint16_t* next_;
  HWY_ALIGN std::uint32_t states_[kMostLanes];
  HWY_ALIGN std::uint8_t context_[kBins] = {};
  HWY_ALIGN std::uint8_t first_[128] = {}, frequency_[128] = {}, start_[128] = {}, raw_bits_[128] = {}, base_[128] = {};
};

std::uint16_t* write_residuals(const Plane& plane, Size size, const ContextOfBin& context_of_bin,
                               const Residuals& residuals, std::uint32_t* states, std::uint16_t* end) {
  ResidualWriter writer(plane, context_of_bin, end);
  const unsigned lanes = plane.lanes();
  const auto per_row = static_cast<std::uint32_t>(size.groups_per_row(lanes));
  std::uint64_t group = std::uint64_t{per_row} * size.rows;
  for (std::uint32_t y = size.rows; y-- > 0;)
    for (std::uint32_t i = per_row; i-- > 0;) {
      if (residuals.is_zero(--group)) continue;
      const std::uint32_t begin = i * lanes, count = std::min<std::uint32_t>(lanes, size.columns - begin);
      for (std::uint32_t block = (count + kBlock - 1) / kBlock; block-- > 0;) {
        const std::uint32_t lane = block * kBlock, x = begin + lane;
        const std::size_t at = std::size_t{y} * size.columns + x;
        writer.write(residuals.magnitudes + y * residuals.stride + x, residuals.bins + at, residuals.classes + at,
                     std::min(kBlock, count - lane), lane);
      }
    }
  return writer.end(lanes, states);
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
HWY_EXPORT(predict_rows);
HWY_EXPORT(predict_runs);
HWY_EXPORT(find_activities);
HWY_EXPORT(look_into_gaps);
HWY_EXPORT(close_few_gaps);
HWY_EXPORT(write_residuals);

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

bool look_into_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::uint16_t low, std::uint8_t* seen) {
  return HWY_DYNAMIC_DISPATCH(look_into_gaps)(values, gaps, low, seen);
}

void close_few_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::int32_t low, std::uint16_t centre,
                    std::int16_t* out) {
  HWY_DYNAMIC_DISPATCH(close_few_gaps)(values, gaps, low, centre, out);
}

std::uint16_t* write_residuals(const Plane& plane, Size size, const ContextOfBin& context_of_bin,
                               const Residuals& residuals, std::uint32_t* states, std::uint16_t* end) {
  return HWY_DYNAMIC_DISPATCH(write_residuals)(plane, size, context_of_bin, residuals, states, end);
}

}  // namespace dicube::codec::lane
#endif
