// Work on the archives that a command line names, one after another.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/complaints.h"

namespace dicube::cli {

// What came of one archive.
struct Outcome {
  int code = kWell;
  bool is_last = false;                            // the target takes nothing more: the others are not tried
  std::uint64_t files = 0, failed = 0, bytes = 0;  // failed: files; the others are well
};

// What came of all of them.
struct Total {
  int code = kWell;
  std::uint64_t archives = 0, failed = 0;  // those without errors, and those that failed as a whole
  std::uint64_t with_failed_files = 0;     // and did not fail as a whole
  std::uint64_t not_tried = 0;
  std::uint64_t files = 0, failed_files = 0, bytes = 0;

  // Of many archives the end is what somebody reads who comes back. `how`: what is said of those that are well.
  void say(const Common& common, std::string_view how_archives, const std::string& how_files) const;
};

// Until one is the last, or a signal asks for the end. `options` are what `work` calls with, prepared here; progress is
// that of all archives.
Total for_each_archive(const std::vector<std::string>& paths, const Common& common, CallOptions& options,
                       const std::function<Outcome(const std::string& archive, Complaints& complaints)>& work);

// Says the errors of an archive's files; their exit code: damage says 3, refused writes 4, the rest 1.
// `transcoding`: what the syntax asked for does not hold is a failed input, not damage.
int say_errors(Complaints& complaints, const std::string& archive, const std::vector<Error>& errors,
               bool transcoding = false);

}  // namespace dicube::cli
