// Encoding one plane of values with the lane codec.
#pragma once

#include <span>

#include "codec/lane_gaps.h"
#include "codec/lane_inter.h"
#include "codec/lane_simd.h"

namespace dicube::codec::lane {

// Works on one plane after another, using its memory again.
class PlaneEncoder {
 public:
  // `values`: row by row, modulo 2^16; the smallest is `low`, the largest `high`. Appends the plane's stream. Returns
  // whether it makes use of the reference.
  bool encode(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high, ByteWriter& out,
              const ReferencePlane* reference = nullptr);
  // The same by parameters that are there, `low` and `range` among them, and a correction where there is a reference.
  // Returns whether they hold these values; nothing is appended otherwise.
  bool encode_as(const Plane& parameters, std::span<const std::uint16_t> values, Size size, std::int32_t low,
                 std::int32_t high, ByteWriter& out, const ReferencePlane* reference = nullptr);
  // Parameters for planes like those `count` of this size whose values are `all`, with room for smaller values, down to
  // `lowest`, and larger ones. None for values that are all the same, nor where the reference, one of all of them, does
  // not pay.
  std::optional<Plane> shared_parameters(std::span<const std::uint16_t> all, Size size, std::size_t count,
                                         std::int32_t low, std::int32_t high, std::int32_t lowest,
                                         const ReferencePlane* reference = nullptr);
  // What the reference would save.
  Promise promise(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high,
                  const ReferencePlane& reference);

 private:
  bool predict(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high,
               bool may_close_gaps = true);
  void find_gaps(std::span<const std::uint16_t> values, std::int32_t high);
  void center(std::span<const std::uint16_t> values);
  void fit_magnitudes();
  void use_reference(const ReferencePlane& reference);
  void subtract_corrections(const Correction& correction, const ReferencePlane& reference);
  void find_magnitudes();
  void choose_low_bits();
  void find_bins();
  void find_zero_groups();
  bool zero_flags_pay(const Steps& steps) const;
  void find_classes();
  void count();
  void count(std::size_t first, std::size_t end);
  Residuals residuals() const;
  void write(ByteWriter& out);
  void write_words();
  Bytes packed_low_bits() const;

  Plane plane_;
  Size size_;
  GapFinder gap_finder_;
  std::vector<std::int16_t> coded_;
  std::vector<std::int16_t> corrections_;  // of a row
  std::vector<std::uint8_t> unrest_;       // row by row
  RaisedPlane raised_;
  PredictionFit prediction_;
  CorrectionFit correction_;
  std::vector<std::uint16_t> magnitudes_;     // row by row, RaisedPlane::kRight more behind each
  std::vector<std::uint8_t> bins_, classes_;  // row by row
  std::vector<std::uint8_t> activities_;
  std::vector<std::uint16_t> any_;  // the bits that any magnitude of a group of steps has
  Bytes zero_flags_;
  std::size_t stride_ = 0;
  Counts counts_[2];  // of even and odd columns, for a count just written is slow to read
  std::array<std::uint32_t, kMostLanes> states_;
  std::vector<std::uint16_t> words_;  // from the end on
  std::uint16_t* first_word_ = nullptr;
  ContextOfBin context_of_bin_ = {};
};

}  // namespace dicube::codec::lane
