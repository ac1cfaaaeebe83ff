// Errors of many files, of which the first few of each kind are said at once and the others counted.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace dicube::cli {

// Two errors are of one kind when their class and message are the same but for numbers, checksums and tags. The same
// error of the same file, as of a folder that many files need, is said once. JSON gets each.
class Complaints {
 public:
  explicit Complaints(const Common& common) : common_(common) {}
  // Returns the error's exit code. `reason`: the message without what differs from file to file, as the file's name in
  // an archive; empty: the message as it is.
  int add(const Error& error, std::string_view reason = {});
  // Says how many more there were of each kind; once, at the end.
  void say_rest();

 private:
  struct Kind {
    std::vector<std::string> said;
    std::size_t unsaid = 0;
    std::vector<std::string> reason;  // of those unsaid, in parts; a number that is another in some of them is "N"
  };
  const Common& common_;
  std::map<std::string, Kind> kinds_;
};

}  // namespace dicube::cli
