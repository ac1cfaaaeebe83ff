// What was found in a series while it was packed, in words for people.
#pragma once

#include <string>
#include <vector>

#include "dicube/series.h"

namespace dicube::cli {

// A line per kind of finding: how many files, what that means, the first few names with their reasons.
std::vector<std::string> findings_text(const std::vector<Finding>& findings);

}  // namespace dicube::cli
