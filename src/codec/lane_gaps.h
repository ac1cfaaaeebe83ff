// Gaps: values that no pixel of a plane has, with others on both sides. Closed before a plane is coded, they make
// differences smaller. spec/lane.md, section 6.
#pragma once

#include <span>

#include "codec/lane_stream.h"

namespace dicube::codec::lane {

constexpr std::size_t kFewGaps = 4;  // that are faster to open one after the other

// Finds the gaps of planes that pay, using its memory again.
class GapFinder {
 public:
  // `values`: row by row, modulo 2^16, from `low` to `high`. Empty when closing gaps saves less than they take to
  // write.
  Gaps find(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high);

 private:
  void look(std::span<const std::uint16_t> values, Size size, std::uint32_t first, std::uint32_t step);
  void count(std::span<const std::uint16_t> values, Size size);
  Gaps gaps_seen() const;
  Gaps paying(std::span<const std::uint16_t> values, Size size);
  std::int64_t saved_bits(std::span<const std::uint16_t> values, Size size, const Gaps& gaps);

  std::uint16_t low_ = 0;
  std::uint32_t step_ = 1;  // of the rows whose values are counted
  std::uint64_t counted_ = 0;
  std::vector<std::uint32_t> counts_;  // by value less the smallest one
  std::vector<std::uint8_t> seen_;     // likewise: whether there is one, as far as looked
  std::vector<std::uint16_t> closed_;  // likewise: the value without gaps
};

// Where gaps stand among values less the smallest one, as long as they are open.
struct OpenGaps {
  explicit OpenGaps(const Gaps& gaps);
  std::vector<std::uint16_t> starts, ends, lengths;
};

// The values without any number of gaps, less `centre`; `low`: the smallest value.
void close_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::int32_t low, std::uint16_t centre,
                std::int16_t* out);

// What gaps add to each value without them, by what it is above the smallest one; the last one stands for larger ones.
// REQUIRES: gaps.
std::vector<std::uint16_t> added_by(const Gaps& gaps);

}  // namespace dicube::codec::lane
