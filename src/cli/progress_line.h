// The line at the foot of a terminal that says how far a call is.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dicube/series.h"

namespace dicube::cli {

// Rewritten at most ten times a second, with rate and remaining time. Phases may take turns: each has a clock of its
// own, and what is left is what is left of all that have begun.
class ProgressLine {
 public:
  explicit ProgressLine(std::string_view what = "files") : what_(what) {}  // what is counted
  void operator()(const Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kPhases = 5;
  struct Turns {
    std::optional<Progress> latest;
    Clock::duration spent{};
  };
  std::string_view what_;
  Clock::time_point last_ = Clock::now(), shown_;
  std::array<Turns, kPhases> phases_;
};

// Of a call that goes through several archives: each one's progress counts as that of all, by their sizes.
class ArchivesProgress {
 public:
  // Takes the place of what `options` reports to, unless that is nothing. Must outlive their use.
  ArchivesProgress(const std::vector<std::string>& archives, CallOptions& options);
  ArchivesProgress(const ArchivesProgress&) = delete;
  ArchivesProgress& operator=(const ArchivesProgress&) = delete;
  void end_archive();

 private:
  Progress of_all(const Progress& of_one) const;
  std::vector<std::uint64_t> sizes_;
  std::uint64_t bytes_ = 0, bytes_done_ = 0;
  std::size_t done_ = 0;
};

// "packing"
std::string_view phase_name(Progress::Phase phase);

// "packing 120 of 3000 files, 31.0 MB/s, 0:12 left": what the line says after `seconds` in the phase, when other phases
// have `others_left` seconds to go.
std::string progress_text(const Progress& progress, double seconds, double others_left = 0,
                          std::string_view what = "files");

}  // namespace dicube::cli
