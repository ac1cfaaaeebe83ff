// Encoding one plane of values with the lane codec.
#pragma once

#include <span>

#include "codec/lane_fit.h"

namespace dicube::codec::lane {

// Works on one plane after another, using its memory again.
class PlaneEncoder {
 public:
  // `values`: row by row; the smallest is `low`, the largest `high`. Appends the plane's stream.
  void encode(std::span<const std::int32_t> values, Size size, std::int32_t low, std::int32_t high, ByteWriter& out);

 private:
  void center(std::span<const std::int32_t> values);
  void find_magnitudes();
  void choose_low_bits();
  void find_bins();
  void find_zero_groups();
  void count();
  void write_words();
  void code_block(std::uint32_t y, std::uint32_t x, std::uint32_t count, std::uint32_t* states);
  bool is_zero(std::uint64_t group) const { return plane_.zero_flags && (zero_flags_[group / 8] >> (group % 8) & std::byte{1}) != std::byte{0}; }
  Bytes packed_low_bits() const;

  Plane plane_;
  Size size_;
  std::vector<std::int16_t> coded_;
  RaisedPlane raised_;
  std::vector<std::uint16_t> magnitudes_;  // row by row, kSpare behind each
  std::vector<std::uint8_t> bins_;
  std::vector<std::uint8_t> activities_;
  Bytes zero_flags_;
  std::size_t stride_ = 0;
  Counts counts_;
  std::vector<std::uint8_t> token_of_;  // by context and magnitude
  Tables tables_;
  std::array<std::uint64_t, kMostContexts * kTokens> reciprocals_ = {};  // 2^63 by frequency
  std::array<std::uint32_t, kMostLanes> states_;
  std::vector<std::uint16_t> words_;    // from the end on
  std::uint16_t* next_ = nullptr;       // the word written last
  std::array<std::uint8_t, kBins> context_of_bin_ = {};
};

}  // namespace dicube::codec::lane
