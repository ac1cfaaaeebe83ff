// Errors of many files, of which the first few of each kind are said at once and the others counted.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "cli/command.h"

namespace dicube::cli {

// Two errors are of one kind when their class and message are the same but for numbers. JSON gets each.
class Complaints {
 public:
  explicit Complaints(const Common& common) : common_(common) {}
  // Returns the error's exit code.
  int add(const Error& error);
  // Says how many more there were of each kind; once, at the end.
  void say_rest();

 private:
  struct Kind {
    std::size_t count = 0;
    std::string message;
  };
  const Common& common_;
  std::map<std::string, Kind> kinds_;
};

}  // namespace dicube::cli
