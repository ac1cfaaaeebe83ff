// Decoding goes in groups of rows, twice as many as a vector has 16-bit lanes:
//  1. The residuals of each row, 64 at a time (lane_residuals-inl.h, their tokens by lane_tokens-inl.h). Their
//     contexts depend on the rows above only: nothing in a row waits for its neighbour but for its own state. Even and
//     odd columns are kept apart.
//  2. The values of all rows (lane_waves-inl.h), row l two values behind row l - 1: N, NE and NW are then the
//     vectors of the last steps, moved up by one lane.
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

#include "codec/lane_gaps-inl.h"
#include "codec/lane_residuals-inl.h"
#include "codec/lane_waves-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {

// Takes low bits of consecutive pixels.
class LowBits {
 public:
  LowBits(ByteSpan bytes, unsigned bits) : bytes_(bytes), bits_(bits) {}
  unsigned next() {
    while (held_ < bits_) {
      window_ |= std::to_integer<std::uint32_t>(bytes_[at_++]) << held_;
      held_ += 8;
    }
    const unsigned value = window_ & ((1u << bits_) - 1);
    window_ >>= bits_;
    held_ -= bits_;
    return value;
  }

 private:
  ByteSpan bytes_;
  unsigned bits_, held_ = 0;
  std::uint32_t window_ = 0;
  std::size_t at_ = 0;
};

class PlaneDecoder {
 public:
  PlaneDecoder(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
               const ReferencePlane* reference)
      : reference_(reference),
        size_(size),
        low_bits_(plane.low_bits),
        low_(coded.low_bits, plane.low_bits),
        predictor_(plane),
        reader_(plane, coded, buffers.words),
        opener_(plane, size.columns, buffers.places),
        out_(out),
        before_(buffers.before),
        period_(Waves::period(size.columns)),
        slots_(std::clamp<std::size_t>(kSteps / period_, 1, (size.rows + Waves::kLanes - 1) / Waves::kLanes)),
        stride_((slots_ * period_ + 2 * Waves::kMargin + kMostLanes + 63) / 64 * 64 | 64) {
    const std::size_t row = (size.columns + 2 * Waves::kMargin + kMostLanes + 63) / 64 * 64;
    if (plane.correction) correction_.emplace(*plane.correction);
    reserve(buffers.residuals, stride_ * Waves::kLanes + 4 * Waves::kMargin);
    reserve(buffers.values, stride_ * Waves::kLanes + 2 * Waves::kMargin);
    reserve(buffers.rows, 2 * row);
    buffers.activities.assign(row * 4, 0);
    buffers.corrections.resize(size.columns + ReferencePlane::kRight);
    corrections_ = buffers.corrections.data();
    even_ = buffers.residuals.data() + Waves::kMargin;
    odd_ = even_ + stride_ / 2 * Waves::kLanes + Waves::kMargin;
    values_ = buffers.values.data() + Waves::kMargin;
    for (unsigned i = 0; i < 2; ++i) rows_[i] = buffers.rows.data() + i * row + Waves::kMargin;
    for (unsigned i = 0; i < 3; ++i) activities_[i] = buffers.activities.data() + i * row + Waves::kMargin;
    unrest_ = buffers.activities.data() + 3 * row + Waves::kMargin;
  }

  Status run() {
    DICUBE_TRY(first_row());
    Waves waves(predictor_, size_.columns, stride_, before_);
    const auto group = static_cast<std::uint32_t>(slots_ * Waves::kLanes);
    for (std::uint32_t y = 1; y < size_.rows; y += group) {
      const std::uint32_t rows = std::min(group, size_.rows - y);
      for (std::uint32_t i = 0; i < rows; ++i) {
        fetch_out(y + i);
        DICUBE_TRY(read_corrected(y + i, even_ + place_of(i) / 2, odd_ + place_of(i) / 2));
      }
      waves.set_before(rows_[0], rows_[1]);
      waves.run(even_, odd_, values_, rows);
      for (std::uint32_t i = 0; i < rows; ++i) copy_out(y + i, values_ + place_of(i));
      for (std::uint32_t i = 0; i < 2 && rows == group; ++i) {
        const std::int16_t* from = values_ + place_of(rows - 2 + i);
        std::copy(from - Waves::kGap, from + size_.columns + Waves::kGap, rows_[i] - Waves::kGap);
      }
    }
    return reader_.check_end();
  }

 private:
  static constexpr std::size_t kSteps =
      2560;  // that two waves go on for, about: much more than they take to start and to end, and still in the cache

  static void reserve(std::vector<std::int16_t>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
  }
  // Of a row of the group.
  std::size_t place_of(std::uint32_t row) const {
    return row % Waves::kLanes * stride_ + row / Waves::kLanes * period_;
  }

  // Every value is expected to be the one before.
  Status first_row() {
    DICUBE_TRY(read_residuals(even_, odd_));
    std::uint16_t value = 0;
    std::int16_t* row = rows_[1];
    for (std::uint32_t x = 0; x < size_.columns; ++x) {
      value = static_cast<std::uint16_t>(value + static_cast<std::uint16_t>(x % 2 == 0 ? even_[x / 2] : odd_[x / 2]));
      row[x] = static_cast<std::int16_t>(value);
    }
    std::fill(row - Waves::kGap, row, row[0]);
    std::fill(row + size_.columns, row + size_.columns + Waves::kGap, row[size_.columns - 1]);
    std::copy(row - Waves::kGap, row + size_.columns + Waves::kGap,
              rows_[0] - Waves::kGap);  // the row above the first is the first
    copy_out(0, row);
    return {};
  }

  // Residuals with what the reference adds to them: the waves need not know of it.
  Status read_corrected(std::uint32_t y, std::int16_t* even, std::int16_t* odd) {
    if (!correction_) return read_residuals(even, odd);
    const D16 d;
    correct_row(*correction_, *reference_, y, corrections_, unrest_);
    reader_.set_unrest(unrest_ - activities_[1]);
    DICUBE_TRY(read_residuals(even, odd));
    for (std::size_t x = 0; x < size_.columns; x += 2 * hn::Lanes(d)) {
      V16 of_even, of_odd;
      hn::LoadInterleaved2(d, corrections_ + x, of_even, of_odd);
      hn::StoreU(hn::Add(hn::LoadU(d, even + x / 2), of_even), d, even + x / 2);
      hn::StoreU(hn::Add(hn::LoadU(d, odd + x / 2), of_odd), d, odd + x / 2);
    }
    return {};
  }

  Status read_residuals(std::int16_t* even, std::int16_t* odd) {
    DICUBE_TRY(reader_.read_row(size_.columns, activities_[1], activities_[0], activities_[2], even, odd));
    std::rotate(activities_, activities_ + 1, activities_ + 3);
    if (low_bits_ == 0) return {};
    for (std::uint32_t x = 0; x < size_.columns; ++x) {
      std::int16_t& place = x % 2 == 0 ? even[x / 2] : odd[x / 2];
      const auto magnitude =
          static_cast<std::uint16_t>(unsigned{static_cast<std::uint16_t>(place)} << low_bits_ | low_.next());
      place = residual_of(magnitude);
    }
    return {};
  }

  // Brings the memory of a row of `out_` into the cache long before it is written, while there are no other misses.
  void fetch_out(std::uint32_t y) const {
    constexpr std::size_t kLine = 64 / sizeof(std::uint16_t);
    for (std::size_t x = 0; x < size_.columns; x += kLine) hwy::Prefetch(out_row(y) + x);
  }
  void copy_out(std::uint32_t y, const std::int16_t* row) { opener_.open(row, size_.columns, out_row(y)); }
  std::uint16_t* out_row(std::uint32_t y) const { return out_ + std::size_t{y} * size_.columns; }

  std::optional<CorrectionTables> correction_;
  const ReferencePlane* reference_;
  std::int16_t* corrections_;
  std::uint8_t* unrest_;
  Size size_;
  unsigned low_bits_;
  LowBits low_;
  Predictor predictor_;
  ResidualReader reader_;
  GapOpener opener_;
  std::uint16_t* out_;
  std::vector<std::int16_t>& before_;
  // Rows of a lane stand period_ apart, lanes stride_, an odd number of 128 bytes: all lanes at one column are worked
  // on together, and otherwise few sets of the cache would have to hold them.
  std::size_t period_, slots_, stride_;
  std::int16_t *even_, *odd_, *values_;
  std::int16_t* rows_[2];  // the two before a group
  std::uint8_t* activities_[3];
};

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
                      const ReferencePlane* reference) {
  return PlaneDecoder(plane, size, coded, buffers, out, reference).run();
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(decode_vectors);

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out,
                      const ReferencePlane* reference) {
  return HWY_DYNAMIC_DISPATCH(decode_vectors)(plane, size, coded, buffers, out, reference);
}

}  // namespace dicube::codec::lane
#endif
