// What was found in a series while it was packed, in words for people.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace dicube::cli {

// A line per kind of finding: how many files, what that means, the first few names with their reasons.
std::vector<std::string> findings_text(const std::vector<Finding>& findings);
// Notes such lines below the archive's name; nothing where there are none.
void say_worth_knowing(const Common& common, const std::string& archive, const std::vector<std::string>& lines);

}  // namespace dicube::cli
