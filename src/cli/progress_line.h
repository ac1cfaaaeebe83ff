// The line at the foot of a terminal that says how far a call is.
#pragma once

#include <array>
#include <chrono>

#include "dicube/series.h"

namespace dicube::cli {

// Rewritten at most ten times a second, with rate and remaining time. Phases may take turns: each has a clock of its
// own.
class ProgressLine {
 public:
  void operator()(const Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kPhases = 5;
  Clock::time_point last_ = Clock::now(), shown_;
  std::array<Clock::duration, kPhases> spent_{};
};

// "packing"
std::string_view phase_name(Progress::Phase phase);

// "packing 120 of 3000 files, 31.0 MB/s, 0:12 left": what the line says after `seconds` in the phase.
std::string progress_text(const Progress& progress, double seconds);

}  // namespace dicube::cli
