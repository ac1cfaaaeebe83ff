// Opening the gaps of decoded values, for one vector unit; included once for each.
#if defined(DICUBE_LANE_GAPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_GAPS_INL
#undef DICUBE_LANE_GAPS_INL
#else
#define DICUBE_LANE_GAPS_INL
#endif

#include <algorithm>
#include <vector>

#include "codec/lane_gaps.h"
#include "codec/lane_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Makes pixels of a plane's values: few gaps are opened by comparing with each of them, more through a table by the
// value less the smallest one; one of up to 64 entries is looked up in vectors.
class GapOpener {
 public:
  // `places`: memory for a row.
  GapOpener(const Plane& plane, std::size_t columns, std::vector<std::uint16_t>& places)
      : gaps_(plane.gaps),
        centre_(hn::Set(DU16(), static_cast<std::uint16_t>(plane.centre()))),
        low_(hn::Set(DU16(), static_cast<std::uint16_t>(plane.low))) {
    if (gaps_.size() <= kFewGaps) return;
    added_ = added_by(gaps_);
    last_ = hn::Set(DU16(), static_cast<std::uint16_t>(added_.size() - 1));
    if (added_.size() > kLookedUp) {
      places.resize(columns + hn::Lanes(DU16()));
      places_ = places.data();
      return;
    }
    for (std::size_t i = 0; i < added_.size(); ++i) {
      low_bytes_[i] = static_cast<std::uint8_t>(added_[i]);
      high_bytes_[i] = static_cast<std::uint8_t>(added_[i] >> 8);
    }
  }

  // A row of values less the centre; two vectors may be read behind its end.
  HWY_INLINE void open(const std::int16_t* row, std::size_t count, std::uint16_t* out) {
    const auto* from = reinterpret_cast<const std::uint16_t*>(row);
    if (gaps_.size() <= kFewGaps)
      with_few_gaps(gaps_.size(), [&](auto gaps) HWY_ATTR { open_few<gaps>(from, count, out); });
    else if (places_ == nullptr)
      open_by_bytes(from, count, out);
    else
      open_by_places(from, count, out);
  }

 private:
  HWY_INLINE VU16 value_at(const std::uint16_t* from) const { return hn::Add(hn::LoadU(DU16(), from), centre_); }
  HWY_INLINE VU16 place_of(VU16 value) const { return hn::Min(hn::Sub(value, low_), last_); }

  // What `value_of` says of each place, in whole vectors but for the last one.
  template <class ValueOf>
  HWY_INLINE static void put(std::size_t count, std::uint16_t* out, const ValueOf& value_of) {
    const DU16 d;
    std::size_t x = 0;
    for (; x + hn::Lanes(d) <= count; x += hn::Lanes(d)) hn::StoreU(value_of(x), d, out + x);
    if (x < count) hn::StoreN(value_of(x), d, out + x, count - x);
  }

  template <std::size_t kGaps>
  HWY_INLINE void open_few(const std::uint16_t* from, std::size_t count, std::uint16_t* out) const {
    VU16 starts[kGaps + 1], lengths[kGaps + 1];
    for (std::size_t gap = 0; gap < kGaps; ++gap) {
      starts[gap] = hn::Set(DU16(), gaps_[gap].start);
      lengths[gap] = hn::Set(DU16(), gaps_[gap].length);
    }
    put(count, out, [&](std::size_t x) HWY_ATTR {
      VU16 value = value_at(from + x);
      [[maybe_unused]] const VU16 above = hn::Sub(value, low_);
      for (std::size_t gap = 0; gap < kGaps; ++gap)
        value = hn::Add(value, hn::IfThenElseZero(hn::Ge(above, starts[gap]), lengths[gap]));
      return value;
    });
  }

  // Two vectors at a time: of each pair of bytes one belongs to the first, the other to the second.
  HWY_INLINE void open_by_bytes(const std::uint16_t* from, std::size_t count, std::uint16_t* out) const {
    const DU8 d8;
    const DU16 d;
    const VU16 byte = hn::Set(d, 255);
    for (std::size_t x = 0; x < count; x += 2 * hn::Lanes(d)) {
      const VU16 first = value_at(from + x), second = value_at(from + x + hn::Lanes(d));
      const VU8 places = hn::BitCast(d8, hn::Or(place_of(first), hn::ShiftLeft<8>(place_of(second))));
      const VU16 low = hn::BitCast(d, of_64(low_bytes_, places)), high = hn::BitCast(d, of_64(high_bytes_, places));
      const VU16 opened[2] = {hn::Add(first, hn::Or(hn::And(low, byte), hn::ShiftLeft<8>(high))),
                              hn::Add(second, hn::Or(hn::ShiftRight<8>(low), hn::AndNot(byte, high)))};
      put(std::min(count - x, 2 * hn::Lanes(d)), out + x,
          [&](std::size_t at) HWY_ATTR { return opened[at / hn::Lanes(d)]; });
    }
  }

  HWY_INLINE void open_by_places(const std::uint16_t* from, std::size_t count, std::uint16_t* out) const {
    const DU16 d;
    for (std::size_t x = 0; x < count; x += hn::Lanes(d)) hn::StoreU(place_of(value_at(from + x)), d, places_ + x);
    const std::uint16_t* const added = added_.data();
#pragma GCC unroll 8
    for (std::size_t x = 0; x < count; ++x) places_[x] = added[places_[x]];
    put(count, out, [&](std::size_t x) HWY_ATTR { return hn::Add(value_at(from + x), hn::LoadU(d, places_ + x)); });
  }

  static constexpr std::size_t kLookedUp = 64;  // entries, by of_64()

  const Gaps& gaps_;
  VU16 centre_, low_, last_;
  std::vector<std::uint16_t> added_;
  std::uint16_t* places_ = nullptr;  // of a row's values in the table, unless bytes do
  HWY_ALIGN std::uint8_t low_bytes_[kLookedUp] = {}, high_bytes_[kLookedUp] = {};
};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
