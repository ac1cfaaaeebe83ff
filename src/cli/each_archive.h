// Work on the archives that a command line names, one after another.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/complaints.h"

namespace dicube::cli {

// What came of one archive.
struct Outcome {
  int code = kWell;
  bool is_last = false;  // the target takes nothing more: the others are not tried
};

// Until one is the last, or a signal asks for the end. Returns the exit code of all.
int for_each_archive(const std::vector<std::string>& paths, const Common& common,
                     const std::function<Outcome(const std::string& archive, Complaints& complaints)>& work);

// Says the errors of an archive's files; their exit code: damage says 3, refused writes 4, the rest 1.
// `transcoding`: what the syntax asked for does not hold is a failed input, not damage.
int say_errors(Complaints& complaints, const std::string& archive, const std::vector<Error>& errors,
               bool transcoding = false);

}  // namespace dicube::cli
