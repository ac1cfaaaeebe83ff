// The file of --manifest: a JSON object per line, each there whole or not at all.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "io/file.h"

namespace dicube::cli {

// Lines come behind those that the file has; calls in other processes may add to it at the same time.
class Manifest {
 public:
  // Makes the file, and folders above it, where they are missing. kUsage: there is something else, to which lines of a
  // manifest would be no gain.
  static Result<std::unique_ptr<Manifest>> open(const std::string& path);
  // From one thread at a time. What can't be written is no reason to stop; state() knows of it.
  void add(const std::string& line);
  const Status& state() const { return state_; }

 private:
  Manifest(std::string path, io::Handle file) : path_(std::move(path)), file_(std::move(file)) {}
  Status append(const std::string& line);
  Status cut_half_line();
  std::string path_;
  io::Handle file_;
  Status state_;
};

}  // namespace dicube::cli
