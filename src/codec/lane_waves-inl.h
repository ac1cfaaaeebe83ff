// From residuals to values, for one vector unit; included once for each.
#if defined(DICUBE_LANE_WAVES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_WAVES_INL
#undef DICUBE_LANE_WAVES_INL
#else
#define DICUBE_LANE_WAVES_INL
#endif

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// A wave: lane l works on rows l, l + kLanes, l + 2 kLanes ... one behind the other, at step t on what stands at t - 2
// l of them. Two of them go side by side, for a step is a long chain: the second one works on the rows behind those of
// the first, and kLag steps later at least.
class Waves {
 public:
  static constexpr std::size_t kRows = HWY_MAX_BYTES / 2;  // of a wave
  static constexpr std::size_t kLanes = 2 * kRows;
  static constexpr std::ptrdiff_t kSkew = 2 * (kRows - 1);  // steps that the last row is behind the first
  static constexpr std::ptrdiff_t kSteps = 16;              // done at a time
  // Rows before a wave are raised that far in front of it. Vectors of 64 bytes are loaded from what four stores wrote,
  // which takes its time.
  static constexpr std::ptrdiff_t kAhead = (kRows > 16 ? 2 : 1) * kSteps + 2;
  static constexpr std::ptrdiff_t kLag = kSkew + kAhead;
  static constexpr std::ptrdiff_t kGap = 4;  // steps between two rows of a lane, at least
  static constexpr std::size_t kMargin =
      4 * kRows + 32;  // in front of and behind the rows of a lane: may be read and written

  // Steps from a row to the next one of its lane, an even number: the last lane must be done with what the first one
  // goes on from.
  static std::size_t period(std::uint32_t columns) {
    const auto least = static_cast<std::size_t>(kLag + kSkew + kSteps + kAhead + kGap);
    return (std::max<std::size_t>(columns + kGap, least) + 1) / 2 * 2;
  }

  // `stride`: from a lane's first row to that of the next one. `before`: memory for the rows before each wave.
  Waves(const Predictor& predictor, std::uint32_t columns, std::size_t stride, std::vector<std::int16_t>& before)
      : predictor_(predictor),
        columns_(columns),
        period_(static_cast<std::ptrdiff_t>(period(columns))),
        stride_(stride),
        before_stride_(stride + static_cast<std::size_t>(period_)) {
    if (before.size() < 4 * before_stride_ + 2 * kMargin) before.resize(4 * before_stride_ + 2 * kMargin);
    for (std::size_t i = 0; i < 2; ++i) waves_[i].before = before.data() + 2 * i * before_stride_ + kMargin;
  }

  // The two rows before the first one, kMargin values more on both sides of each.
  HWY_INLINE void set_before(const std::int16_t* top, const std::int16_t* above) {
    const auto end = static_cast<std::ptrdiff_t>(columns_) + kGap;
    for (std::ptrdiff_t x = -kGap; x < end; x += kRows)
      predictor_.raise() < 0 ? raise<true>(top, above, waves_[0], x, x) : raise<false>(top, above, waves_[0], x, x);
  }

  // `even`, `odd`: residuals of those columns; `values`: column 0 of the first lane's first row. REQUIRES: rows > 0.
  HWY_INLINE void run(const std::int16_t* even, const std::int16_t* odd, std::int16_t* values, std::size_t rows) {
    for (std::size_t i = 0; i < 2; ++i) {
      waves_[i].even = even + i * kRows * half_stride();
      waves_[i].odd = odd + i * kRows * half_stride();
      waves_[i].values = values + i * kRows * stride_;
      waves_[i].at = Neighbourhood();
      waves_[i].end = end_of(i, rows);
    }
    if (predictor_.raise() < 0)
      run_as<true>();
    else
      run_as<false>();
  }

 private:
  static constexpr std::size_t kBlocks = HWY_MAX_BYTES / 16;  // of 8 lanes

  struct Wave {
    const std::int16_t *even, *odd;
    std::int16_t *values, *before;  // the latter: the two rows before, raised
    std::ptrdiff_t end;             // of its steps
    Neighbourhood at;
    HWY_ALIGN std::int16_t residuals[kSteps][kRows];
  };

  // Steps until the last of `rows` rows that are of this wave is done.
  std::ptrdiff_t end_of(std::size_t wave, std::size_t rows) const {
    const std::size_t first = wave * kRows;
    const std::size_t slots = rows > first ? (rows - first + kLanes - 1) / kLanes : 0;
    if (slots == 0) return -kSteps;
    const std::size_t lanes = std::min(kRows, rows - first - (slots - 1) * kLanes);
    const auto of_last = static_cast<std::ptrdiff_t>(2 * (lanes - 1)),
               of_full = slots > 1 ? kSkew - period_ : of_last;  // the rows before fill all lanes
    return static_cast<std::ptrdiff_t>(slots - 1) * period_ + std::max(of_last, of_full) + columns_ + 1;
  }

  // Both waves work where they can, so that they do not wait for each other's chains; what can be filled in goes first.
  template <bool kSink>
  HWY_INLINE void run_as() {
    std::ptrdiff_t first = -kSteps, second = -kSteps;  // steps that they have done
    while (first < waves_[0].end || second < waves_[1].end) {
      // The first wave's next rows stand behind the last ones of the second, which are behind those of the first.
      const bool first_works =
          first < waves_[0].end && (second >= waves_[1].end || first + kSteps + kAhead < second - kSkew + period_);
      if (first_works && fill<kSink>(waves_[0], first)) {
        first += kSteps;
        continue;
      }
      const bool second_works = second < waves_[1].end && (first >= waves_[0].end || second + kLag <= first);
      if (second_works) raise_before_second<kSink>(second);
      if (second_works && fill<kSink>(waves_[1], second)) {
        raise_before_first<kSink>(second);
        second += kSteps;
        continue;
      }
      if (first_works && second_works)
        inside(first) && inside(second) ? steps<2, false, kSink>(waves_, first, second)
                                        : steps<2, true, kSink>(waves_, first, second);
      else if (first_works)
        inside(first) ? steps<1, false, kSink>(waves_, first, 0) : steps<1, true, kSink>(waves_, first, 0);
      else
        inside(second) ? steps<1, false, kSink>(waves_ + 1, second, 0) : steps<1, true, kSink>(waves_ + 1, second, 0);
      if (second_works) raise_before_first<kSink>(second);
      if (first_works) first += kSteps;
      if (second_works) second += kSteps;
    }
  }

  static constexpr std::ptrdiff_t kChunk = std::max(kSteps, static_cast<std::ptrdiff_t>(kRows));
  // What the first wave has done since, for the next steps of the second.
  template <bool kSink>
  HWY_INLINE void raise_before_second(std::ptrdiff_t second) {
    const std::int16_t* const top = last_lanes(waves_[0]);
    const std::ptrdiff_t from = second == -kSteps ? -2 * kSteps : second + kAhead - kChunk;
    for (std::ptrdiff_t x = from; x < second + kAhead; x += kRows) raise<kSink>(top, top + stride_, waves_[1], x, x);
  }
  // The other way round, when the second has done its next steps; it stands before the next rows of the first.
  template <bool kSink>
  HWY_INLINE void raise_before_first(std::ptrdiff_t second) {
    const std::int16_t* const top = last_lanes(waves_[1]);
    const std::ptrdiff_t done = second + kSteps - kSkew;
    for (std::ptrdiff_t x = std::max(done - kChunk, 1 - kGap); x < done; x += kRows)
      raise<kSink>(top, top + stride_, waves_[0], x, x + period_);
  }

  // Where the lanes stand that the next wave goes on from.
  const std::int16_t* last_lanes(const Wave& wave) const { return wave.values + (kRows - 2) * stride_; }
  // Whether no lane starts or ends a row in the steps from t on.
  bool inside(std::ptrdiff_t t) const {
    const std::ptrdiff_t column = column_of(t);
    return t >= 0 && column >= kSkew && column + kSteps <= columns_;
  }
  // Of the first lane.
  std::ptrdiff_t column_of(std::ptrdiff_t t) const { return (t + period_) % period_; }

  // A part of the two rows before a wave, from `x` of those rows to `to`.
  template <bool kSink>
  HWY_INLINE void raise(const std::int16_t* top, const std::int16_t* above, const Wave& wave, std::ptrdiff_t x,
                        std::ptrdiff_t to) {
    const D16 d;
    hn::StoreU(predictor_.raised<kSink>(hn::LoadU(d, top + x)), d, wave.before + to);
    hn::StoreU(predictor_.raised<kSink>(hn::LoadU(d, above + x)), d, wave.before + before_stride_ + to);
  }

  std::ptrdiff_t offset(std::size_t row, std::ptrdiff_t t) const {
    return static_cast<std::ptrdiff_t>(row * stride_) + t - 2 * static_cast<std::ptrdiff_t>(row);
  }
  std::size_t half_stride() const { return stride_ / 2; }

  // 128 bits of each of 8, 16, 32 rows that belong to one vector.
  HWY_INLINE V16 pieces(const std::int16_t* first) const {
    const D16 d;
    const hn::Full128<std::int16_t> d128;
    const std::ptrdiff_t step = 8 * (static_cast<std::ptrdiff_t>(half_stride()) - 1);
#if HWY_MAX_BYTES == 16
    static_cast<void>(step), static_cast<void>(d128);
    return hn::LoadU(d, first);
#else
    const hn::Full256<std::int16_t> d256;
    const auto two = [&](const std::int16_t* from)
                         HWY_ATTR { return hn::Combine(d256, hn::LoadU(d128, from + step), hn::LoadU(d128, from)); };
#if HWY_MAX_BYTES == 32
    static_cast<void>(d);
    return two(first);
#else
    return hn::Combine(d, two(first + 2 * step), two(first));
#endif
#endif
  }

  // Residuals of every other column from t on, of each row two columns further to the left than of the one before.
  HWY_INLINE void gather(std::ptrdiff_t t, const std::int16_t* rows, std::int16_t (*out)[kRows]) const {
    const D16 d;
    V16 v[8];
    for (std::size_t i = 0; i < 8; ++i)
      v[i] = pieces(rows + static_cast<std::ptrdiff_t>(i * half_stride()) + t - static_cast<std::ptrdiff_t>(i));
    transpose(d, v);  // rows of a block of 8 columns each become steps
    for (std::size_t i = 0; i < 8; ++i) hn::Store(v[i], d, out[2 * i]);
  }
  HWY_INLINE void scatter(std::ptrdiff_t t, const std::int16_t (*from)[kRows], std::int16_t* values) const {
    const D16 d;
    const hn::Full128<std::int16_t> d128;
    V16 v[8];
    for (std::size_t i = 0; i < 8; ++i) v[i] = hn::Load(d, from[i]);
    transpose(d, v);
    const auto put_blocks = [&]<std::size_t... kBlock>(std::size_t i, std::index_sequence<kBlock...>) HWY_ATTR {
      (hn::StoreU(hn::ExtractBlock<kBlock>(v[i]), d128, values + offset(8 * kBlock + i, t)), ...);
    };
    for (std::size_t i = 0; i < 8; ++i) put_blocks(i, std::make_index_sequence<kBlocks>());
  }

  // Puts in the values of the kSteps steps from t on, without working them out, where they go on with the one value
  // that stands all around: backgrounds. Residuals and values between rows are looked at and put in like others.
  template <bool kSink>
  HWY_INLINE bool fill(const Wave& wave, std::ptrdiff_t t) const {
    const D16 d;
    const Neighbourhood& at = wave.at;
    const V16 one = hn::Set(d, hn::GetLane(at.w));
    const V16 others = hn::Or3(hn::Xor(at.w, one), hn::Xor(at.ww, one), hn::Xor(at.ne, one));
    const V16 differences = hn::Or3(at.across[0], at.across[1], hn::Or(at.down[0], at.down[1]));
    return hn::AllTrue(d, hn::Eq(hn::Or(others, differences), hn::Zero(d))) &&
           fill_with<kSink>(wave, t, hn::GetLane(at.w));
  }
  template <bool kSink>
  HWY_NOINLINE bool fill_with(const Wave& wave, std::ptrdiff_t t, std::int16_t raised) const {
    const hn::CappedTag<std::int16_t, kSteps> d_row;
    if (!goes_on_before(wave, t, raised) || has_residuals(wave, t)) return false;
    const auto value = value_after<kSink>(raised);
    if (!value) return false;
    for (std::size_t row = 0; row < kRows; ++row)
      for (std::size_t x = 0; x < kSteps; x += hn::Lanes(d_row))
        hn::StoreU(hn::Set(d_row, *value), d_row, wave.values + offset(row, t) + x);
    return true;
  }
  // The value that is expected amid one value, when it is that.
  template <bool kSink>
  HWY_INLINE std::optional<std::int16_t> value_after(std::int16_t raised) const {
    const D16 d;
    Neighbourhood at;
    at.w = at.ww = at.n = at.nw = at.ne = at.nne = hn::Set(d, raised);
    for (std::size_t i = 0; i < 3; ++i) at.across[i] = at.down[i] = hn::Zero(d);
    const V16 value = predictor_.predict<kSink>(at);
    if (hn::GetLane(predictor_.raised<kSink>(value)) != raised) return std::nullopt;
    return hn::GetLane(value);
  }
  // Whether the two rows before the wave bring nothing else in.
  HWY_INLINE bool goes_on_before(const Wave& wave, std::ptrdiff_t t, std::int16_t raised) const {
    const hn::CappedTag<std::int16_t, kSteps> d;
    const auto one = hn::Set(d, raised);
    auto others = hn::Zero(d);
    for (const std::int16_t* row : {wave.before + t + 1, wave.before + before_stride_ + t + 1})
      for (std::size_t x = 0; x < kSteps; x += hn::Lanes(d))
        others = hn::Or(others, hn::Xor(hn::LoadU(d, row + x), one));
    return hn::AllTrue(d, hn::Eq(others, hn::Zero(d)));
  }
  HWY_INLINE bool has_residuals(const Wave& wave, std::ptrdiff_t t) const {
    const hn::Full128<std::int16_t> d;
    static_assert(kSteps == 16);  // half of them in a vector
    auto all = hn::Zero(d);
    for (std::size_t row = 0; row < kRows; ++row) {
      const std::ptrdiff_t at =
          static_cast<std::ptrdiff_t>(row * half_stride()) + t / 2 - static_cast<std::ptrdiff_t>(row);
      all = hn::Or3(all, hn::LoadU(d, wave.even + at), hn::LoadU(d, wave.odd + at));
    }
    return !hn::AllTrue(d, hn::Eq(all, hn::Zero(d)));
  }

  template <int kWaves, bool kEdges, bool kSink>
  HWY_NOINLINE void steps(Wave* waves, std::ptrdiff_t first_t, std::ptrdiff_t second_t) {
    const D16 d;
    gather(first_t / 2, waves[0].even, waves[0].residuals);
    gather(first_t / 2, waves[0].odd, waves[0].residuals + 1);
    if constexpr (kWaves == 2) {
      gather(second_t / 2, waves[1].even, waves[1].residuals);
      gather(second_t / 2, waves[1].odd, waves[1].residuals + 1);
    }
    // Their neighbourhoods stay in registers, as far as they go.
    Neighbourhood first = waves[0].at, second = waves[kWaves - 1].at;
    [[maybe_unused]] const std::ptrdiff_t first_column = kEdges ? column_of(first_t) : 0,
                                          second_column = kEdges ? column_of(second_t) : 0;
    const auto step = [&](Neighbourhood& at, Wave& wave, std::ptrdiff_t t, [[maybe_unused]] std::ptrdiff_t column,
                          int s) HWY_ATTR {
      const std::int16_t *top = wave.before + t + s + 1, *above = top + before_stride_;
      at.move();
      at.nne = moved_up(at.nw, top);  // the NE of the lane before, two steps ago, is its NW now
      at.ne = moved_up(at.w, above);
      at.set_differences();
      V16 value = hn::Add(predictor_.predict<kSink>(at), hn::Load(d, wave.residuals[s]));
      V16 raised = predictor_.raised<kSink>(value);
      if constexpr (kEdges) {  // in front of a row stands what is to the north-east of there; behind it, its last value
        const std::ptrdiff_t behind = column + s - columns_;
        const auto front = lane_at(column + s + 2), past = lane_at(behind < 0 ? behind + period_ : behind);
        raised = hn::IfThenElse(past, at.w, hn::IfThenElse(front, at.ne, raised));
        value = hn::IfThenElse(hn::Or(past, front), predictor_.lowered<kSink>(raised), value);
      }
      hn::Store(value, d, wave.residuals[s]);
      at.ww = at.w;
      at.w = raised;
    };
    for (int s = 0; s < kSteps; ++s) {
      step(first, waves[0], first_t, first_column, s);
      if constexpr (kWaves == 2) step(second, waves[1], second_t, second_column, s);
    }
    waves[0].at = first;
    scatter(first_t, waves[0].residuals, waves[0].values);
    scatter(first_t + 8, waves[0].residuals + 8, waves[0].values);
    if constexpr (kWaves == 2) {
      waves[1].at = second;
      scatter(second_t, waves[1].residuals, waves[1].values);
      scatter(second_t + 8, waves[1].residuals + 8, waves[1].values);
    }
  }
  // The lane l with 2 l or 2 l + 1 steps, modulo the period.
  HWY_INLINE hn::Mask<D16> lane_at(std::ptrdiff_t steps) const {
    const D16 d;
    return hn::Eq(hn::Iota(d, 0), hn::Set(d, static_cast<std::int16_t>(std::min<std::ptrdiff_t>(
                                                 (steps >= period_ ? steps - period_ : steps) / 2, kRows))));
  }

  // Each lane's value to the next one; the first lane takes one from a row before the group.
  HWY_INLINE static V16 moved_up(V16 vector, const std::int16_t* first) {
    const D16 d;
#if HWY_MAX_BYTES == 64
    HWY_ALIGN static constexpr std::int16_t kIndices[32] = {32, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
                                                            10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                                            21, 22, 23, 24, 25, 26, 27, 28, 29, 30};
    return hn::TwoTablesLookupLanes(d, vector, hn::LoadU(d, first), hn::IndicesFromVec(d, hn::Load(d, kIndices)));
#else
    const V16 before = hn::LoadU(d, first - (kRows - 1));
#if HWY_MAX_BYTES == 32
    return hn::CombineShiftRightBytes<14>(d, vector, hn::ConcatLowerUpper(d, vector, before));
#else
    return hn::CombineShiftRightBytes<14>(d, vector, before);
#endif
#endif
  }

  const Predictor& predictor_;
  std::ptrdiff_t columns_, period_;
  std::size_t stride_, before_stride_;
  Wave waves_[2];
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
