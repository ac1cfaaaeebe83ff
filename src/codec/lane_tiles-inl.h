// The values of a group of steps, brought together by step, for one vector unit; included once for each.
#if defined(DICUBE_LANE_TILES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_TILES_INL
#undef DICUBE_LANE_TILES_INL
#else
#define DICUBE_LANE_TILES_INL
#endif

#include <cstring>

#include "codec/lane_simd.h"
#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Where the values of a group of steps stand, lane by lane: kGroup of each, one behind the other. Those of steps in
// which a lane has no pixel are any.
class Pieces {
 public:
  Pieces(const Steps& steps, const Residuals& residuals) : steps_(steps), residuals_(residuals) {
    for (unsigned lane = 0; lane < kMostLanes; ++lane) point_to(lane, 0, 0);
  }

  // Of the steps from `at` on after the begin of slot `slot`. REQUIRES: -kGroup < at <= period - kGroup.
  void find(std::int64_t slot, std::int64_t at) {
    for (unsigned lane = 0; lane < steps_.lanes; ++lane) {
      const std::int64_t x = at - 2 * lane;
      if (x >= 0)
        point_inside(lane, slot, x);
      else if (x <= -std::int64_t{kGroup})
        point_inside(lane, slot - 1, x + static_cast<std::int64_t>(steps_.period));
      else
        join(lane, slot, x);
    }
  }
  // The same where all lanes have pixels in all steps.
  void find_all(std::int64_t slot, std::int64_t at) {
    for (unsigned lane = 0; lane < steps_.lanes; ++lane)
      point_to(lane, static_cast<std::size_t>(slot) * steps_.lanes + lane, static_cast<std::size_t>(at) - 2 * lane);
  }

  const std::uint16_t* magnitudes[kMostLanes];
  const std::uint8_t *bins[kMostLanes], *classes[kMostLanes];

 private:
  // Room for two pieces, of which the second one begins in the first.
  struct Joined {
    std::uint16_t magnitudes[2 * kGroup];
    std::uint8_t bins[2 * kGroup], classes[2 * kGroup];
  };

  std::int64_t row_of(unsigned lane, std::int64_t slot) const { return slot * steps_.lanes + lane; }
  bool is_row(std::int64_t y) const { return y >= 0 && y < std::int64_t{steps_.size.rows}; }

  void point_to(unsigned lane, std::size_t y, std::size_t x) {
    const std::size_t at = y * steps_.size.columns + x;
    magnitudes[lane] = residuals_.magnitudes + y * residuals_.stride + x;
    bins[lane] = residuals_.bins + at;
    classes[lane] = residuals_.classes + at;
  }
  void point_inside(unsigned lane, std::int64_t slot, std::int64_t x) {
    const std::int64_t y = row_of(lane, slot);
    if (is_row(y) && x < std::int64_t{steps_.size.columns})
      point_to(lane, static_cast<std::size_t>(y), static_cast<std::size_t>(x));
    else
      point_to(lane, 0, 0);
  }

  // Of a lane whose row of this slot begins within the group, at step -x of it.
  void join(unsigned lane, std::int64_t slot, std::int64_t x) {
    Joined& joined = joined_[lane];
    const auto copy = [&](std::size_t to) {
      std::memcpy(joined.magnitudes + to, magnitudes[lane], kGroup * sizeof(std::uint16_t));
      std::memcpy(joined.bins + to, bins[lane], kGroup);
      std::memcpy(joined.classes + to, classes[lane], kGroup);
    };
    point_inside(lane, slot - 1, x + static_cast<std::int64_t>(steps_.period));
    copy(0);
    point_inside(lane, slot, 0);
    copy(static_cast<std::size_t>(-x));
    magnitudes[lane] = joined.magnitudes;
    bins[lane] = joined.bins;
    classes[lane] = joined.classes;
  }

  const Steps& steps_;
  const Residuals& residuals_;
  Joined joined_[kMostLanes] = {};
};

// Bytes of a group of steps: step by step kMostLanes, or kFewLanes in the order of few_place().
class Tiles {
 public:
  Tiles(const Steps& steps, const Residuals& residuals, unsigned low_bits)
      : steps_(steps), pieces_(steps, residuals), low_bits_(static_cast<int>(low_bits)) {}

  // Of the steps from `at` on after the begin of slot `slot`. REQUIRES: -kGroup < at <= period - kGroup.
  // Returns whether all lanes have pixels in all of them.
  bool set(std::int64_t slot, std::int64_t at) {
    const auto is_full = [&](std::int64_t step) { return steps_.lanes_of(slot, step).count == steps_.lanes; };
    const bool all = is_full(at) && is_full(at + kGroup - 1);
    all ? pieces_.find_all(slot, at) : pieces_.find(slot, at);
    steps_.lanes == kFewLanes ? set_few() : set_many();
    return all;
  }
  // Without its low bits.
  std::uint16_t magnitude(unsigned lane, unsigned step) const {
    return static_cast<std::uint16_t>(pieces_.magnitudes[lane][step] >> low_bits_);
  }

  HWY_ALIGN std::uint8_t bins[kGroup * kMostLanes], classes[kGroup * kMostLanes];
  HWY_ALIGN std::uint8_t lows[kGroup * kMostLanes];  // of magnitudes without their low bits

 private:
  static constexpr std::size_t kBytes = HWY_MAX_BYTES;

  // A block of bytes of each of a vector's lanes, kGroup lanes apart.
  HWY_INLINE static VU8 blocks(const std::uint8_t* const* lanes) {
    static_assert(kGroup == 16);
    return blocks_of(DU8(), [&](std::size_t lane) HWY_ATTR { return lanes[lane]; });
  }

  // The same of the low bytes of magnitudes without their low bits.
  HWY_INLINE VU8 low_bytes(const std::uint16_t* const* lanes) const {
    const DU16 d;
#if HWY_MAX_BYTES == 16
    const VU16 first = hn::LoadU(d, lanes[0]), second = hn::LoadU(d, lanes[0] + kGroup / 2);
#elif HWY_MAX_BYTES == 32
    const VU16 first = hn::LoadU(d, lanes[0]), second = hn::LoadU(d, lanes[kGroup]);
#else
    const hn::Half<DU16> half;
    const auto both = [&](unsigned i) HWY_ATTR {
      return hn::Combine(d, hn::LoadU(half, lanes[(i + 1) * kGroup]), hn::LoadU(half, lanes[i * kGroup]));
    };
    const VU16 first = both(0), second = both(2);
#endif
    return hn::OrderedTruncate2To(DU8(), hn::ShiftRightSame(first, low_bits_), hn::ShiftRightSame(second, low_bits_));
  }

  void set_many() {
    const DU8 d;
    const auto set = [&](const auto& blocks_of, std::uint8_t* tile) HWY_ATTR {
      for (std::size_t first = 0; first < kMostLanes; first += kBytes) {
        VU8 v[kGroup];
        for (unsigned i = 0; i < kGroup; ++i) v[i] = blocks_of(first + i);
        transpose_bytes(d, v);
        for (unsigned i = 0; i < kGroup; ++i) hn::Store(v[i], d, tile + i * kMostLanes + first);
      }
    };
    set([&](std::size_t lane) HWY_ATTR { return blocks(pieces_.bins + lane); }, bins);
    set([&](std::size_t lane) HWY_ATTR { return blocks(pieces_.classes + lane); }, classes);
    set([&](std::size_t lane) HWY_ATTR { return low_bytes(pieces_.magnitudes + lane); }, lows);
  }

  void set_few() {
    const hn::Full128<std::uint8_t> d;
    const hn::Full128<std::uint16_t> d16;
    static_assert(kFewLanes == kGroup);
    const auto set = [&](const auto& block_of, std::uint8_t* tile) HWY_ATTR {
      hn::Vec<decltype(d)> v[kGroup];
      for (unsigned i = 0; i < kGroup; ++i) v[i] = block_of(few_place(i));
      transpose_bytes(d, v);
      for (unsigned i = 0; i < kGroup; ++i) hn::Store(v[i], d, tile + i * kFewLanes);
    };
    const auto half = [&](const std::uint16_t* magnitudes)
                          HWY_ATTR { return hn::ShiftRightSame(hn::LoadU(d16, magnitudes), low_bits_); };
    set([&](std::size_t lane) HWY_ATTR { return hn::LoadU(d, pieces_.bins[lane]); }, bins);
    set([&](std::size_t lane) HWY_ATTR { return hn::LoadU(d, pieces_.classes[lane]); }, classes);
    set(
        [&](std::size_t lane) HWY_ATTR {
          const std::uint16_t* const magnitudes = pieces_.magnitudes[lane];
          return hn::OrderedTruncate2To(d, half(magnitudes), half(magnitudes + kGroup / 2));
        },
        lows);
  }

  const Steps& steps_;
  Pieces pieces_;
  int low_bits_;
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
