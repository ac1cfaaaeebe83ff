// Decoding goes in groups of steps, in each of which a lane has the next value of its row (spec/lane.md, section 3),
// two columns behind the lane above it: what stands above is then in the vectors of the last steps, moved up by one
// lane.
//  1. What a reference adds in all of its steps, if there is one (lane_corrections-inl.h).
//  2. Of each step the residuals of all lanes (lane_residuals-inl.h, their tokens by lane_tokens-inl.h), whose contexts
//     need residuals alone, and their values (lane_waves-inl.h), which are expected while tokens are looked up.
//  3. Steps become pieces of rows, and rows that are complete are copied out.
#include "codec/lane_simd.h"

#include <algorithm>
#include <optional>

#include "codec/lane_reference.h"
#include "codec/lane_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_decoder_simd.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/lane_corrections-inl.h"
#include "codec/lane_gaps-inl.h"
#include "codec/lane_residuals-inl.h"
#include "codec/lane_waves-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Between the steps of a group and rows: value 8 b + i of a vector of even or odd lanes is that of lane 2 (8 b + i), or
// of the one behind it.
template <unsigned kLanes>
struct Rows {
  using D = hn::CappedTag<std::int16_t, kLanes / 2>;
  using V = hn::Vec<D>;
  static constexpr std::size_t kWidth = hn::MaxLanes(D());
  using D128 = hn::Full128<std::int16_t>;

  // Stores the values of all steps, lane by lane: those of lane l at `to` + l `stride`.
  HWY_INLINE static void scatter(const Group<kLanes>& group, std::int16_t* to, std::ptrdiff_t stride) {
    const D d;
    for (std::size_t parity = 0; parity < 2; ++parity)
      for (std::size_t at = 0; at < kLanes / 2; at += kWidth) {
        const std::size_t place = parity * kLanes / 2 + at;
        std::int16_t* lane = to + static_cast<std::ptrdiff_t>(2 * at + parity) * stride;
        V low[8], high[8];
        for (std::size_t i = 0; i < 8; ++i) low[i] = hn::Load(d, group.steps[i] + place);
        transpose(d, low);
        for (std::size_t i = 0; i < 8; ++i) high[i] = hn::Load(d, group.steps[8 + i] + place);
        transpose(d, high);
        for (std::size_t i = 0; i < 8; ++i, lane = one_by_one(lane + 2 * stride))
          put_blocks(low[i], high[i], lane, 16 * stride);
      }
  }

 private:
  // Of each block 16 values, blocks `step` apart.
  HWY_INLINE static void put_blocks(V low, V high, std::int16_t* to, std::ptrdiff_t step) {
#if HWY_MAX_BYTES == 64
    if constexpr (kWidth == 32) {
      const hn::Repartition<std::int64_t, D> d64;
      const hn::Full256<std::int16_t> d256;
      HWY_ALIGN static constexpr std::int64_t kFirst[8] = {0, 1, 8, 9, 2, 3, 10, 11},
                                              kSecond[8] = {4, 5, 12, 13, 6, 7, 14, 15};
      const auto both = [&](const std::int64_t* order) HWY_ATTR {
        return hn::BitCast(D(), hn::TwoTablesLookupLanes(d64, hn::BitCast(d64, low), hn::BitCast(d64, high),
                                                         hn::IndicesFromVec(d64, hn::Load(d64, order))));
      };
      const V first = both(kFirst), second = both(kSecond);
      hn::StoreU(hn::LowerHalf(d256, first), d256, to);
      hn::StoreU(hn::UpperHalf(d256, first), d256, to + step);
      hn::StoreU(hn::LowerHalf(d256, second), d256, to + 2 * step);
      hn::StoreU(hn::UpperHalf(d256, second), d256, to + 3 * step);
      return;
    }
#endif
    put_each(low, to, step, std::make_index_sequence<kWidth / 8>());
    put_each(high, to + 8, step, std::make_index_sequence<kWidth / 8>());
  }
  template <std::size_t... kBlock>
  HWY_INLINE static void put_each(V vector, std::int16_t* to, std::ptrdiff_t step, std::index_sequence<kBlock...>) {
    (hn::StoreU(hn::ExtractBlock<kBlock>(vector), D128(), to + static_cast<std::ptrdiff_t>(kBlock) * step), ...);
  }
};

// The values of the lanes' last two rows: position p of a lane is where it stands at step p + 2 lane, modulo two
// periods.
template <unsigned kLanes>
class RowRing {
 public:
  RowRing(const Steps& steps, std::vector<std::int16_t>& buffer)
      : columns_(static_cast<std::ptrdiff_t>(steps.size.columns)),
        period_(static_cast<std::ptrdiff_t>(steps.period)),
        stride_((2 * period_ + kFront + kBehind + 63) / 64 * 64 | 64) {
    const auto size = static_cast<std::size_t>(stride_) * kLanes;
    if (buffer.size() < size) buffer.resize(size);
    first_ = buffer.data() + kFront;
  }

  // Values of the steps from `t` on.
  HWY_INLINE void put(std::ptrdiff_t t, const Group<kLanes>& group) {
    const std::ptrdiff_t position = t % (2 * period_), past = position + kSteps - 2 * period_;
    std::int16_t* const to = first_ + position;
    Rows<kLanes>::scatter(group, to, stride_ - 2);
    if (past < 0) return;
    // Lanes that went on behind the end: the others will in front of the beginning.
    ++rounds_;
    past_ = past;
    for (std::ptrdiff_t lane = 0; 2 * lane < past; ++lane) {
      std::int16_t* const row = first_ + lane * stride_;
      std::copy(row + 2 * period_, row + 2 * period_ + past - 2 * lane, row);
    }
  }

  // What `lane` put there last, at step `t`.
  HWY_INLINE const std::int16_t* at(std::ptrdiff_t t, std::ptrdiff_t lane) const {
    return first_ + t % (2 * period_) + lane * (stride_ - 2);
  }

  // A row of a lane, as many from its first as `slot` says: the last but one at most.
  HWY_INLINE const std::int16_t* row(std::ptrdiff_t lane, std::ptrdiff_t slot) {
    std::int16_t* const first = first_ + lane * stride_;
    if (slot % 2 == 0) return first;
    const std::ptrdiff_t begin = past_ - 2 * lane, end = columns_ - period_;
    if (rounds_ == slot / 2 + 1 && begin < end) std::copy(first + begin, first + end, first + begin + 2 * period_);
    return first + period_;
  }

 private:
  static constexpr std::ptrdiff_t kSteps = kGroup;
  static constexpr std::ptrdiff_t kFront = 2 * kLanes + kSteps,
                                  kBehind = kSteps + 128;  // two vectors may be read there
  std::ptrdiff_t columns_, period_, stride_, rounds_ = 0, past_ = 0;
  std::int16_t* first_;
};

template <unsigned kLanes>
class PlaneDecoder {
 public:
  PlaneDecoder(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
               const std::uint16_t* reference)
      : steps_(size, kLanes),
        reader_(plane, steps_, coded, buffers.words, buffers.activities),
        wave_(plane, steps_, buffers.values),
        ends_(steps_, buffers.ends),
        ring_(steps_, buffers.rows),
        opener_(plane, size.columns, buffers.places),
        has_low_bits_(plane.low_bits > 0),
        out_(out) {
    if (plane.correction) correction_maker_.emplace(*plane.correction, reference, steps_);
  }

  Status run() {
    const auto groups = steps_.groups();
    for (std::uint64_t group = 0; group < groups; ++group) {
      const auto t = static_cast<std::ptrdiff_t>(group * kGroup);
      DICUBE_TRY(read(group, t));
      ring_.put(t, group_);
      wave_.keep(t, ring_.at(t, kLanes - 2), ring_.at(t, kLanes - 1));
      copy_out(t + static_cast<std::ptrdiff_t>(kGroup));
    }
    return reader_.check_end();
  }

 private:
  HWY_INLINE Status read(std::uint64_t group, std::ptrdiff_t t) {
    const bool is_inside = steps_.is_inside(group);
    if (correction_maker_) correction_maker_->make(t, corrections_);
    if (reader_.is_zero(group)) {
      if (is_inside && !has_low_bits_ && !correction_maker_ && wave_.fill(t, group_)) return pass<false, false>(t);
      return wave_.sinks() ? pass<true, true>(t) : pass<true, false>(t);
    }
    return correction_maker_ ? read_as<true>(group, t) : read_as<false>(group, t);
  }
  // Most groups have no edge, and values that need not sink; the others have everything that there may be.
  template <bool kUnrest>
  HWY_INLINE Status read_as(std::uint64_t group, std::ptrdiff_t t) {
    const bool is_first = steps_.is_in_first_row(t);
    if (wave_.sinks())
      return is_first ? steps<true, true, kUnrest, true, true>(t) : steps<true, false, kUnrest, true, true>(t);
    if (is_first) return steps<true, true, kUnrest, true, false>(t);
    if (!steps_.is_inside(group) || has_low_bits_) return steps<true, false, kUnrest, true, false>(t);
    if (wave_.is_coarse()) return steps<false, false, kUnrest, true, false, true>(t);
    return reader_.is_wide() ? steps<false, false, kUnrest, true, false, false>(t)
                             : steps<false, false, kUnrest, false, false, false>(t);
  }

  template <bool kEdges, bool kFirst, bool kUnrest, bool kWide, bool kSink, bool kCoarse = true>
  HWY_NOINLINE Status steps(std::ptrdiff_t t) {
    auto reading = reader_.begin();
    auto making = wave_.begin();
    Steps::Moment moment = steps_.moment(static_cast<std::uint64_t>(t));
    Fetcher fetcher(out_, steps_, moment);
    for (std::size_t s = 0; s < kGroup; ++s, moment = steps_.next(moment)) {
      fetcher.fetch();
      typename Wave<kLanes>::Step values;
      ByLane<kLanes> residuals;
      reader_.template read<kEdges, kFirst, kUnrest, kWide>(
          reading, moment, corrections_.unrest[s], ends_, residuals,
          [&](auto part) HWY_ATTR { expect<part, kFirst, kSink, kCoarse>(making, moment.step, values); });
      if constexpr (kUnrest) residuals.add(corrections_.added[0][s], corrections_.added[1][s]);
      const std::uint8_t* const ends = kEdges ? ends_.of(moment).longer : nullptr;
      wave_.template put<kEdges, kFirst, kSink>(making, moment.step, ends, values, residuals, group_.steps[s]);
    }
    wave_.end(making);
    return reader_.end(reading, t);
  }
  // Parts of a step's work that need no residuals.
  template <int kPart, bool kFirst, bool kSink, bool kCoarse = true>
  HWY_INLINE void expect(typename Wave<kLanes>::Cursor& making, std::ptrdiff_t t,
                         typename Wave<kLanes>::Step& values) const {
    if constexpr (kPart == 0)
      wave_.template enter<kFirst>(making, t);
    else if constexpr (kPart <= 2)
      wave_.template choose<kCoarse>(making, kPart - 1, values);
    else
      wave_.template expect<kSink>(making, kPart - 3, values);
  }
  // Of a group without residuals. kMakes: its values are not there.
  template <bool kMakes, bool kSink>
  HWY_NOINLINE Status pass(std::ptrdiff_t t) {
    auto reading = reader_.begin();
    auto making = wave_.begin();
    Steps::Moment moment = steps_.moment(static_cast<std::uint64_t>(t));
    for (std::size_t s = 0; s < kGroup; ++s, moment = steps_.next(moment)) {
      ByLane<kLanes> residuals;
      reader_.pass(reading, moment, residuals);
      if (correction_maker_) residuals.add(corrections_.added[0][s], corrections_.added[1][s]);
      if constexpr (!kMakes) continue;
      typename Wave<kLanes>::Step values;
      expect<0, true, kSink>(making, moment.step, values);
      expect<1, true, kSink>(making, moment.step, values);
      expect<2, true, kSink>(making, moment.step, values);
      expect<3, true, kSink>(making, moment.step, values);
      expect<4, true, kSink>(making, moment.step, values);
      wave_.template put<true, true, kSink>(making, moment.step, ends_.of(moment).longer, values, residuals,
                                            group_.steps[s]);
    }
    wave_.end(making);
    return reader_.end(reading, t);
  }

  // Brings memory of `out_` into the cache long before it is written: half of the lanes' lines in a group, some in each
  // step, for the processor waits for few lines at once.
  class Fetcher {
   public:
    Fetcher(const std::uint16_t* out, const Steps& steps, Steps::Moment moment) : columns_(steps.size.columns) {
      constexpr std::int64_t kLine = 64 / sizeof(std::uint16_t);
      if (kHalf < kGroup) return;  // small planes are in the cache
      const std::int64_t row = moment.slot * kLanes + (moment.at % kLine < kSteps ? 0 : std::int64_t{kHalf});
      if (row + std::int64_t{kHalf} <= std::int64_t{steps.size.rows} && moment.at < std::int64_t{columns_})
        next_ = out + row * columns_ + moment.at / kLine * kLine;
    }
    HWY_INLINE void fetch() {
      if (next_ == nullptr) return;
      for (unsigned row = 0; row < kHalf / kGroup; ++row, next_ += columns_) hwy::Prefetch(next_);
    }

   private:
    static constexpr std::int64_t kSteps = kGroup;
    static constexpr unsigned kHalf = kLanes / 2;
    std::uint32_t columns_;
    const std::uint16_t* next_ = nullptr;
  };

  // The rows that are complete before step `t`.
  HWY_INLINE void copy_out(std::ptrdiff_t t) {
    const auto columns = steps_.size.columns;
    const auto period = static_cast<std::ptrdiff_t>(steps_.period),
               rows = static_cast<std::ptrdiff_t>(steps_.size.rows);
    const std::ptrdiff_t lanes = std::min<std::ptrdiff_t>(kLanes, rows - slot_ * kLanes);
    if (lanes <= 0 || t < slot_ * period + columns + 2 * (lanes - 1)) return;
    for (std::ptrdiff_t lane = 0, y = slot_ * kLanes; lane < lanes; ++lane, ++y)
      opener_.open(ring_.row(lane, slot_), columns, out_ + y * columns);
    ++slot_;
  }

  Steps steps_;
  ResidualReader<kLanes> reader_;
  Wave<kLanes> wave_;
  RowEnds<kLanes> ends_;
  RowRing<kLanes> ring_;
  GapOpener opener_;
  std::optional<CorrectionMaker<kLanes>> correction_maker_;
  bool has_low_bits_;
  std::uint16_t* out_;
  std::ptrdiff_t slot_ = 0;  // the first of the lanes' rows that are not copied
  Group<kLanes> group_;
  Corrections<kLanes> corrections_;
};

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
                      const std::uint16_t* reference) {
  return plane.lanes() == kFewLanes ? PlaneDecoder<kFewLanes>(plane, size, coded, buffers, out, reference).run()
                                    : PlaneDecoder<kMostLanes>(plane, size, coded, buffers, out, reference).run();
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(decode_vectors);

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
                      const std::uint16_t* reference) {
  return HWY_DYNAMIC_DISPATCH(decode_vectors)(plane, size, coded, buffers, out, reference);
}

}  // namespace dicube::codec::lane
#endif
