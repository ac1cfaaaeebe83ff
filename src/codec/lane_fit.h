// Choosing a plane's parameters: prediction coefficients by weighted least squares, contexts from counted magnitudes. Integers
// only, so that every machine chooses the same.
#pragma once

#include <span>

#include "codec/lane_stream.h"

namespace dicube::codec::lane {

// Values raised and with their neighbours beyond the edges in place: row y begins at row(y), y from -1 on; x from -2 to columns.
class RaisedPlane {
 public:
  static constexpr std::size_t kLeft = 32, kRight = 96;  // values in front of and behind a row that may be read

  void assign(std::span<const std::int16_t> values, Size size, int raise);
  const std::int16_t* row(std::int64_t y) const { return values_.data() + static_cast<std::size_t>(y + 1) * stride_ + kLeft; }

 private:
  std::vector<std::int16_t> values_;
  std::size_t stride_ = 0;
};

// What a sample counts whose neighbours differ by `gradient` in sum: about (2 + gradient / 2)^-1.5, with 36 bits behind the point.
std::int64_t fit_weight(std::uint32_t gradient);

// Sets texture and coefficients.
void fit_prediction(const RaisedPlane& raised, Size size, Plane& plane);

// Magnitudes counted by the activity around them.
constexpr unsigned kBins = kActivities;
constexpr unsigned kCounted = 2048;  // larger magnitudes count as the last one
// Magnitudes that no family tells apart by a token are of one class.
struct MagnitudeClasses {
  static constexpr unsigned kMost = kFamilies * kEscape + 1;
  MagnitudeClasses();
  std::array<std::uint8_t, kCounted> of = {};
  std::array<std::array<std::uint8_t, kTokens>, kFamilies> first = {};  // of each token; the last one is the escape
  unsigned count = 0;
};
const MagnitudeClasses& magnitude_classes();
using Counts = std::array<std::array<std::uint32_t, MagnitudeClasses::kMost>, kBins>;

// Sets thresholds and contexts. Returns the context of each bin.
using ContextOfBin = std::array<std::uint8_t, kBins>;
ContextOfBin fit_contexts(const Counts& counts, Plane& plane);

}  // namespace dicube::codec::lane
