#include "codec/lane_encoder.h"

#include <algorithm>
#include <numeric>

#include "codec/lane_reference.h"
#include "codec/lane_simd.h"

namespace dicube::codec::lane {
namespace {

// Planes over these sizes have 64 lanes: each lane costs two bytes, and some steps at both ends; more of them wait less
// for one another.
constexpr std::uint64_t kSmall = std::uint64_t{1} << 13;
constexpr std::uint32_t kFewRows = 32;
std::uint8_t lane_choice_of(Size size) { return size.pixels() > kSmall && size.rows > kFewRows ? 1 : 0; }

// The bits that any of the magnitudes has.
std::uint16_t any_of(const std::uint16_t* magnitudes, std::uint32_t count = kGroup) {
  std::uint16_t any = 0;
  for (std::uint32_t i = 0; i < count; ++i) any |= magnitudes[i];
  return any;
}

// The groups of steps that a row's pixels are in.
class RowOfGroups {
 public:
  RowOfGroups(const Steps& steps, std::uint32_t y)
      : first_(y / steps.lanes * steps.period + 2 * (y % steps.lanes)), columns_(steps.size.columns) {}
  std::uint64_t group(std::uint32_t x) const { return (first_ + x) / kGroup; }
  std::uint32_t end_of_group(std::uint32_t x) const {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>((group(x) + 1) * kGroup - first_, columns_));
  }

 private:
  std::uint64_t first_;  // step
  std::uint32_t columns_;
};

// About so many pixels say what contexts are like.
constexpr std::uint64_t kCountedPixels = std::uint64_t{1} << 16;

// With room for smaller values, down to `lowest`, and for larger ones.
Plane with_room(Plane plane, std::int32_t lowest) {
  constexpr std::int32_t kMostRange = 65535, kMostHalf = 16383;
  const int raise = plane.raise();
  const std::int32_t high = plane.low + plane.range + plane.range / 8;
  plane.low = std::max(lowest, plane.low - plane.range / 16);
  plane.range = static_cast<std::uint16_t>(std::min(kMostRange, high - plane.low));
  // More does not matter as long as values are raised as much.
  if (plane.raise() >= 0) plane.range = static_cast<std::uint16_t>(2 * (kMostHalf >> plane.raise()));
  plane.level_shift = static_cast<std::uint8_t>(std::max(0, plane.level_shift - (raise - plane.raise())));
  return plane;
}

}  // namespace

bool PlaneEncoder::encode(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high,
                          ByteWriter& out, const ReferencePlane* reference) {
  if (!predict(values, size, low, high)) {
    write_plane(plane_, out);
    return false;
  }
  if (reference != nullptr && size_.rows > 1) use_reference(*reference);
  fit_magnitudes();
  write(out);
  return plane_.correction.has_value();
}

void PlaneEncoder::fit_magnitudes() {
  find_magnitudes();
  choose_low_bits();
  find_bins();
  find_zero_groups();
  find_classes();
  count();
  context_of_bin_ = fit_contexts(counts_[0], plane_);
}

bool PlaneEncoder::encode_as(const Plane& parameters, std::span<const std::uint16_t> values, Size size,
                             std::int32_t low, std::int32_t high, ByteWriter& out, const ReferencePlane* reference) {
  if (low == high || low < parameters.low || high > parameters.low + parameters.range || !parameters.gaps.empty() ||
      parameters.correction.has_value() != (reference != nullptr))
    return false;
  plane_ = parameters;
  size_ = size;
  center(values);
  raised_.assign(coded_, size_, plane_.raise());
  if (reference != nullptr) subtract_corrections(*plane_.correction, *reference);
  find_magnitudes();
  find_bins();
  find_zero_groups();
  plane_.zero_flags = parameters.zero_flags;
  find_classes();
  context_of_bin_ = contexts_of_bins(plane_);
  write(out);
  return true;
}

std::optional<Plane> PlaneEncoder::shared_parameters(std::span<const std::uint16_t> all, Size size, std::size_t count,
                                                     std::int32_t low, std::int32_t high, std::int32_t lowest,
                                                     const ReferencePlane* reference) {
  const Size tall{static_cast<std::uint32_t>(size.rows * count), size.columns};
  if (!predict(all, tall, low, high, false)) return std::nullopt;
  if (reference != nullptr) {
    use_reference(*reference);
    if (!plane_.correction) return std::nullopt;
  }
  fit_magnitudes();
  Plane plane = with_room(plane_, lowest);
  plane.lane_choice = lane_choice_of(size);
  return plane;
}

void PlaneEncoder::write(ByteWriter& out) {
  write_plane(plane_, out);
  write_words();
  Bytes states;
  for (unsigned lane = 0; lane < plane_.lanes(); ++lane) {
    std::byte raw[4];
    store_le(raw, states_[lane]);
    append(states, raw);
  }
  const Bytes low_bits = packed_low_bits();
  const std::span<const std::uint16_t> words(first_word_, words_.data() + words_.size());
  Coded coded;
  if (plane_.zero_flags) coded.zero_flags = zero_flags_;
  coded.states = states;
  coded.words = std::as_bytes(words);
  coded.low_bits = low_bits;
  write_coded(coded, out);
}

Promise PlaneEncoder::promise(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high,
                              const ReferencePlane& reference) {
  if (size.rows < 2 || !predict(values, size, low, high)) return {};
  correction_.run(prediction_.samples(), raised_, coded_.data(), size_, reference, plane_);
  return correction_.promise();
}

// Chooses how values are predicted, unless all of them are the same.
bool PlaneEncoder::predict(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high,
                           bool may_close_gaps) {
  plane_ = {};
  size_ = size;
  plane_.low = low;
  plane_.range = static_cast<std::uint16_t>(high - low);
  plane_.lane_choice = lane_choice_of(size);
  if (plane_.range == 0) return false;
  if (may_close_gaps) find_gaps(values, high);
  center(values);
  raised_.assign(coded_, size_, plane_.raise());
  prediction_.run(raised_, size_, plane_);
  return true;
}

// Those that pay.
void PlaneEncoder::find_gaps(std::span<const std::uint16_t> values, std::int32_t high) {
  plane_.gaps = gap_finder_.find(values, size_, plane_.low, high);
  for (const Gap& gap : plane_.gaps) plane_.range = static_cast<std::uint16_t>(plane_.range - gap.length);
}

// Makes the plane's values of those of its pixels: less the centre, and without gaps.
void PlaneEncoder::center(std::span<const std::uint16_t> values) {
  coded_.resize(values.size());
  const auto centre = static_cast<std::uint16_t>(plane_.centre());
  close_gaps(values, plane_.gaps, plane_.low, centre, coded_.data());
}

// Where it promises to pay.
void PlaneEncoder::use_reference(const ReferencePlane& reference) {
  auto fitted = correction_.run(prediction_.samples(), raised_, coded_.data(), size_, reference, plane_);
  if (!fitted) return;
  plane_ = *std::move(fitted);
  subtract_corrections(*plane_.correction, reference);
}

void PlaneEncoder::subtract_corrections(const Correction& correction, const ReferencePlane& reference) {
  corrections_.resize(size_.columns + ReferencePlane::kRight);
  const CorrectionTables tables(correction);
  unrest_.assign(size_.pixels() + ReferencePlane::kRight, 0);
  for (std::uint32_t y = 1; y < size_.rows; ++y) {
    const std::size_t first = std::size_t{y} * size_.columns;
    correct_row(tables, reference, y, corrections_.data(), &unrest_[first]);
    for (std::uint32_t x = 0; x < size_.columns; ++x)
      coded_[first + x] = static_cast<std::int16_t>(coded_[first + x] - corrections_[x]);
  }
}

void PlaneEncoder::find_magnitudes() {
  stride_ = size_.columns + RaisedPlane::kRight;
  magnitudes_.resize(stride_ * size_.rows);
  std::int16_t before = 0;
  for (std::uint32_t x = 0; x < size_.columns; ++x) {
    magnitudes_[x] = magnitude_of(static_cast<std::int16_t>(coded_[x] - before));
    before = coded_[x];
  }
  predict_rows(plane_, raised_, coded_.data(), size_, magnitudes_.data(), stride_);
}

// So many that the tokens reach what is left.
void PlaneEncoder::choose_low_bits() {
  constexpr std::uint64_t kMean = 300, kActiveMean = 24;
  std::uint64_t sum = 0;
  for (std::uint32_t y = 0; y < size_.rows; ++y)  // 32 bits hold the sum of a row
    sum += std::accumulate(&magnitudes_[y * stride_], &magnitudes_[y * stride_ + size_.columns], std::uint32_t{0});
  const std::uint64_t mean = sum / std::max<std::uint64_t>(1, size_.pixels());
  while (plane_.low_bits < kMostLowBits && mean >> plane_.low_bits > kMean) ++plane_.low_bits;
  while (mean >> plane_.low_bits >> plane_.activity_shift > kActiveMean) ++plane_.activity_shift;
}

void PlaneEncoder::find_bins() {
  const std::size_t row = size_.columns + 2 * kSpareActivities;
  activities_.assign(3 * row, 0);
  bins_.resize(size_.pixels() + kSpareActivities);
  std::uint8_t* rows[3] = {&activities_[kSpareActivities], &activities_[row + kSpareActivities],
                           &activities_[2 * row + kSpareActivities]};
  for (std::uint32_t y = 0; y < size_.rows; ++y) {
    find_activities(&magnitudes_[y * stride_], size_.columns, plane_.low_bits + plane_.activity_shift, rows[1], rows[0],
                    rows[2], &bins_[std::size_t{y} * size_.columns]);
    std::rotate(rows, rows + 1, rows + 3);
  }
  if (plane_.correction) join_unrest(&unrest_[size_.columns], &bins_[size_.columns], size_.pixels() - size_.columns);
}

void PlaneEncoder::find_zero_groups() {
  const Steps steps(size_, plane_.lanes());
  const std::uint32_t columns = size_.columns;
  const unsigned low_bits = plane_.low_bits;
  any_.assign(steps.groups(), 0);
  for (std::uint32_t y = 0; y < size_.rows; ++y) {
    const RowOfGroups row(steps, y);
    const std::uint16_t* const magnitudes = &magnitudes_[y * stride_];
    std::uint16_t* any = &any_[row.group(0)];
    for (std::uint32_t x = 0, end = row.end_of_group(0); x < columns; ++any) {
      if (*any >> low_bits == 0) *any |= end - x == kGroup ? any_of(magnitudes + x) : any_of(magnitudes + x, end - x);
      x = end;
      end = std::min(end + kGroup, columns);
    }
  }
  zero_flags_.assign((any_.size() + 7) / 8, std::byte{0});
  for (std::size_t group = 0; group < any_.size(); ++group)
    if (any_[group] >> low_bits == 0) zero_flags_[group / 8] |= std::byte{1} << (group % 8);
  plane_.zero_flags = zero_flags_pay(steps);
}

// Flags let decoders skip groups without residuals, which cost next to nothing without flags, too: they pay when so
// many pixels are skipped for each.
bool PlaneEncoder::zero_flags_pay(const Steps& steps) const {
  constexpr unsigned kPixelsPerFlag = 8;
  const std::uint64_t least = steps.groups() * kPixelsPerFlag;
  std::uint64_t skipped = 0;
  for (std::uint64_t group = 0; group < steps.groups() && skipped < least; ++group)
    if (any_[group] >> plane_.low_bits == 0) skipped += steps.pixels_of(group);
  return skipped >= least;
}

void PlaneEncoder::find_classes() {
  const std::uint8_t* const class_of = magnitude_classes().of.data();
  classes_.resize(size_.pixels() + kSpareActivities);
  for (std::uint32_t y = 0; y < size_.rows; ++y)
    lane::find_classes(&magnitudes_[y * stride_], size_.columns, plane_.low_bits, class_of,
                       &classes_[std::size_t{y} * size_.columns]);
}

// Those of every few rows of a large plane; what comes up elsewhere alone is escaped.
void PlaneEncoder::count() {
  for (Counts& counts : counts_)
    for (auto& of_bin : counts) of_bin.fill(0);
  const Residuals all = residuals();
  const Steps steps(size_, plane_.lanes());
  const auto step = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, size_.pixels() / kCountedPixels));
  for (std::uint32_t y = step / 2; y < size_.rows; y += step) {
    const RowOfGroups row(steps, y);
    for (std::uint32_t x = 0, end = 0; x < size_.columns; x = end) {
      end = row.end_of_group(x);
      if (all.is_zero(row.group(x))) continue;
      while (end < size_.columns && !all.is_zero(row.group(end))) end = row.end_of_group(end);
      count(std::size_t{y} * size_.columns + x, std::size_t{y} * size_.columns + end);
    }
  }
  const unsigned classes = magnitude_classes().count;
  for (unsigned bin = 0; bin < kBins; ++bin)
    for (unsigned i = 0; i < classes; ++i) counts_[0][bin][i] += counts_[1][bin][i];
}

void PlaneEncoder::count(std::size_t first, std::size_t end) {
  const std::uint8_t *const bins = bins_.data(), *const classes = classes_.data();
  std::size_t i = first;
  for (; i + 1 < end; i += 2) {
    ++counts_[0][bins[i]][classes[i]];
    ++counts_[1][bins[i + 1]][classes[i + 1]];
  }
  if (i < end) ++counts_[0][bins[i]][classes[i]];
}

Residuals PlaneEncoder::residuals() const {
  return {magnitudes_.data(), stride_, bins_.data(), classes_.data(),
          plane_.zero_flags ? ByteSpan(zero_flags_) : ByteSpan()};
}

// A decoder reads the words in order; so they are made from the last to the first.
void PlaneEncoder::write_words() {
  words_.resize(2 * size_.pixels() + 1);
  first_word_ =
      write_residuals(plane_, size_, context_of_bin_, residuals(), states_.data(), words_.data() + words_.size());
}

Bytes PlaneEncoder::packed_low_bits() const {
  Bytes out;
  if (plane_.low_bits == 0) return out;
  out.reserve(size_.pixels() * plane_.low_bits / 8 + 1);
  std::uint32_t window = 0;
  unsigned held = 0;
  const Steps steps(size_, plane_.lanes());
  const auto put_lanes = [&](std::int64_t slot, std::int64_t at) {
    const Steps::Lanes lanes = steps.lanes_of(slot, at);
    for (unsigned lane = lanes.first; lane < lanes.first + lanes.count; ++lane) {
      const auto y = static_cast<std::size_t>(slot) * steps.lanes + lane, x = static_cast<std::size_t>(at) - 2 * lane;
      window |= (magnitudes_[y * stride_ + x] & ((1u << plane_.low_bits) - 1)) << held;
      for (held += plane_.low_bits; held >= 8; held -= 8, window >>= 8) out.push_back(static_cast<std::byte>(window));
    }
  };
  const auto period = static_cast<std::int64_t>(steps.period);
  for (std::int64_t slot = 0; slot * period < static_cast<std::int64_t>(steps.count); ++slot)
    for (std::int64_t at = 0; at < period; ++at) {
      put_lanes(slot, at);
      put_lanes(slot - 1, at + period);
    }
  if (held > 0) out.push_back(static_cast<std::byte>(window));
  return out;
}

}  // namespace dicube::codec::lane
