#include "codec/lane_encoder.h"

#include <algorithm>
#include <numeric>

#include "codec/lane_reference.h"
#include "codec/lane_simd.h"

namespace dicube::codec::lane {
namespace {

// Planes over these sizes have 64 and 128 lanes: each lane costs two bytes, and more of them wait less for one another.
constexpr std::uint64_t kMedium = std::uint64_t{1} << 13, kLarge = std::uint64_t{1} << 17;
__extension__ using Product = unsigned __int128;

}  // namespace

void PlaneEncoder::encode(std::span<const std::int32_t> values, Size size, std::int32_t low, std::int32_t high, ByteWriter& out) {
  plane_ = {};
  size_ = size;
  plane_.low = low;
  plane_.range = static_cast<std::uint16_t>(high - low);
  plane_.lane_choice = size.pixels() > kLarge ? 2 : size.pixels() > kMedium ? 1 : 0;
  if (plane_.range == 0) return write_plane(plane_, out);
  center(values);
  raised_.assign(coded_, size_, plane_.raise());
  fit_prediction(raised_, size_, plane_);
  find_magnitudes();
  choose_low_bits();
  find_bins();
  find_zero_groups();
  count();
  context_of_bin_ = fit_contexts(counts_, plane_);
  write_plane(plane_, out);
  write_words();
  Bytes states;
  for (unsigned lane = 0; lane < plane_.lanes(); ++lane) {
    std::byte raw[4];
    store_le(raw, states_[lane]);
    append(states, raw);
  }
  const Bytes low_bits = packed_low_bits();
  const std::span<const std::uint16_t> words(next_, words_.data() + words_.size());
  Coded coded;
  if (plane_.zero_flags) coded.zero_flags = zero_flags_;
  coded.states = states;
  coded.words = std::as_bytes(words);
  coded.low_bits = low_bits;
  write_coded(coded, out);
}

void PlaneEncoder::center(std::span<const std::int32_t> values) {
  coded_.resize(values.size());
  const std::int32_t centre = plane_.centre();
  for (std::size_t i = 0; i < values.size(); ++i) coded_[i] = static_cast<std::int16_t>(values[i] - centre);
}

void PlaneEncoder::find_magnitudes() {
  stride_ = size_.columns + RaisedPlane::kRight;
  magnitudes_.resize(stride_ * size_.rows);
  std::int16_t before = 0;
  for (std::uint32_t x = 0; x < size_.columns; ++x) {
    magnitudes_[x] = magnitude_of(static_cast<std::int16_t>(coded_[x] - before));
    before = coded_[x];
  }
  for (std::uint32_t y = 1; y < size_.rows; ++y) predict_row(plane_, raised_, coded_.data(), y, size_.columns, &magnitudes_[y * stride_]);
}

// So many that the tokens reach what is left.
void PlaneEncoder::choose_low_bits() {
  constexpr std::uint64_t kMean = 300, kActiveMean = 24;
  std::uint64_t sum = 0;
  for (std::uint32_t y = 0; y < size_.rows; ++y)
    sum = std::accumulate(&magnitudes_[y * stride_], &magnitudes_[y * stride_ + size_.columns], sum);
  const std::uint64_t mean = sum / size_.pixels();
  while (plane_.low_bits < kMostLowBits && mean >> plane_.low_bits > kMean) ++plane_.low_bits;
  while (mean >> plane_.low_bits >> plane_.activity_shift > kActiveMean) ++plane_.activity_shift;
}

void PlaneEncoder::find_bins() {
  const std::size_t row = size_.columns + 2 * kSpareActivities;
  activities_.assign(3 * row, 0);
  bins_.resize(size_.pixels() + kSpareActivities);
  std::uint8_t* rows[3] = {&activities_[kSpareActivities], &activities_[row + kSpareActivities], &activities_[2 * row + kSpareActivities]};
  for (std::uint32_t y = 0; y < size_.rows; ++y) {
    find_activities(&magnitudes_[y * stride_], size_.columns, plane_.low_bits + plane_.activity_shift, rows[1], rows[0], rows[2],
                    &bins_[std::size_t{y} * size_.columns]);
    std::rotate(rows, rows + 1, rows + 3);
  }
}

// Flags pay when a good part of the groups has no residuals.
void PlaneEncoder::find_zero_groups() {
  const std::uint64_t per_row = size_.groups_per_row(plane_.lanes()), groups = per_row * size_.rows;
  zero_flags_.assign((groups + 7) / 8, std::byte{0});
  std::uint64_t zeros = 0, group = 0;
  for (std::uint32_t y = 0; y < size_.rows; ++y)
    for (std::uint32_t x = 0; x < size_.columns; x += plane_.lanes(), ++group) {
      const std::uint16_t* begin = &magnitudes_[y * stride_ + x];
      const std::uint16_t* end = begin + std::min<std::uint32_t>(plane_.lanes(), size_.columns - x);
      unsigned any = 0;
      for (const std::uint16_t* at = begin; at != end; ++at) any |= *at;
      if (any >> plane_.low_bits != 0) continue;
      zero_flags_[group / 8] |= std::byte{1} << (group % 8);
      ++zeros;
    }
  plane_.zero_flags = zeros * 4 >= groups;
}

void PlaneEncoder::count() {
  const MagnitudeClasses& classes = magnitude_classes();
  for (auto& of_bin : counts_) of_bin.fill(0);
  std::uint64_t group = 0;
  for (std::uint32_t y = 0; y < size_.rows; ++y)
    for (std::uint32_t x = 0; x < size_.columns; x += plane_.lanes(), ++group) {
      if (is_zero(group)) continue;
      const std::uint32_t end = std::min<std::uint32_t>(x + plane_.lanes(), size_.columns);
      const std::uint8_t* bins = &bins_[std::size_t{y} * size_.columns];
      const std::uint16_t* magnitudes = &magnitudes_[y * stride_];
      for (std::uint32_t i = x; i < end; ++i) ++counts_[bins[i]][classes.of[std::min<unsigned>(magnitudes[i] >> plane_.low_bits, kCounted - 1)]];
    }
}

// A decoder reads the words in order; so they are made from the last to the first.
void PlaneEncoder::write_words() {
  tables_ = make_tables(plane_);
  for (unsigned i = 0; i < reciprocals_.size(); ++i) {  // rounded up; exact for 32 bits by 8
    const std::uint64_t frequency = std::max<unsigned>(1, tables_.frequency[i]);
    reciprocals_[i] = ((std::uint64_t{1} << 63) + frequency - 1) / frequency;
  }
  token_of_.assign(plane_.contexts.size() * kCounted, kEscape);
  for (std::size_t context = 0; context < plane_.contexts.size(); ++context)
    for (unsigned token = 0, base = 0; token < kEscape; ++token) {
      const unsigned end = std::min(base + (1u << tables_.raw_bits[kTokens * context + token]), kCounted - 1);
      std::fill(&token_of_[context * kCounted + base], &token_of_[context * kCounted + end], static_cast<std::uint8_t>(token));
      base = end;
    }
  words_.resize(2 * size_.pixels() + 1);
  next_ = words_.data() + words_.size();
  states_.fill(kLeastState);
  std::uint64_t group = size_.groups_per_row(plane_.lanes()) * size_.rows;
  for (std::uint32_t y = size_.rows; y-- > 0;)
    for (std::uint64_t i = size_.groups_per_row(plane_.lanes()); i-- > 0;) {
      if (is_zero(--group)) continue;
      const auto x = static_cast<std::uint32_t>(i * plane_.lanes());
      const std::uint32_t count = std::min<std::uint32_t>(plane_.lanes(), size_.columns - x);
      for (std::uint32_t at = (count - 1) / kBlock * kBlock;; at -= kBlock) {
        code_block(y, x + at, std::min(kBlock, count - at), &states_[at]);
        if (at == 0) break;
      }
    }
}

void PlaneEncoder::code_block(std::uint32_t y, std::uint32_t x, std::uint32_t count, std::uint32_t* states) {
  const std::uint16_t* magnitudes = &magnitudes_[y * stride_ + x];
  const std::uint8_t* bins = &bins_[std::size_t{y} * size_.columns + x];
  std::array<std::uint8_t, kBlock> tokens;
  bool any_escape = false;
  for (std::uint32_t lane = 0; lane < count; ++lane) {
    const unsigned context = context_of_bin_[bins[lane]];
    const unsigned magnitude = std::min<unsigned>(magnitudes[lane] >> plane_.low_bits, kCounted - 1);
    const unsigned token = token_of_[context * kCounted + magnitude];
    tokens[lane] = static_cast<std::uint8_t>(kTokens * context + token);
    any_escape |= token == kEscape;
  }
  if (any_escape)
    for (std::uint32_t lane = count; lane-- > 0;)
      if (tokens[lane] % kTokens == kEscape) *--next_ = static_cast<std::uint16_t>(magnitudes[lane] >> plane_.low_bits);
  for (std::uint32_t first = std::min(count, 4U); first-- > 0;)
    for (std::uint32_t lane = first + (count - 1 - first) / 4 * 4;; lane -= 4) {
      const unsigned at = tokens[lane], bits = tables_.raw_bits[at];
      const std::uint32_t frequency = tables_.frequency[at];
      std::uint32_t state = states[lane];
      const bool full = state >= frequency << (24 - bits);
      next_[-1] = static_cast<std::uint16_t>(state);
      next_ -= full;
      state = full ? state >> 16 : state;
      const std::uint32_t raw = ((magnitudes[lane] >> plane_.low_bits) - tables_.base[at]) & ((1u << bits) - 1);
      state = state << bits | raw;
      const auto quotient = static_cast<std::uint32_t>((Product{state} * reciprocals_[at]) >> 63);
      states[lane] = (quotient << 8) + (state - quotient * frequency) + tables_.start[at];
      if (lane < 4) break;
    }
}

Bytes PlaneEncoder::packed_low_bits() const {
  Bytes out;
  if (plane_.low_bits == 0) return out;
  out.reserve(size_.pixels() * plane_.low_bits / 8 + 1);
  std::uint32_t window = 0;
  unsigned held = 0;
  for (std::uint32_t y = 0; y < size_.rows; ++y)
    for (std::uint32_t x = 0; x < size_.columns; ++x) {
      window |= (magnitudes_[y * stride_ + x] & ((1u << plane_.low_bits) - 1)) << held;
      for (held += plane_.low_bits; held >= 8; held -= 8, window >>= 8) out.push_back(static_cast<std::byte>(window));
    }
  if (held > 0) out.push_back(static_cast<std::byte>(window));
  return out;
}

}  // namespace dicube::codec::lane
