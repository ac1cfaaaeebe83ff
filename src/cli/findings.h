// What was found in a series while it was packed, in words for people.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/command.h"

namespace dicube::cli {

// A line per kind of finding: how many files, what that means, the first few names with their reasons.
std::vector<std::string> findings_text(const std::vector<Finding>& findings);

// Notes such lines below their archives' names: of the first few archives, or with -v of all. Of the others, it says
// at the end how many have a finding of each kind.
class WorthKnowing {
 public:
  explicit WorthKnowing(const Common& common) : common_(common) {}
  void add(const std::string& archive, const std::vector<std::string>& lines);
  void say_rest() const;

 private:
  const Common& common_;
  std::size_t said_ = 0, unsaid_ = 0;         // archives
  std::map<std::string, std::size_t> kinds_;  // archives unsaid, by code
};

}  // namespace dicube::cli
