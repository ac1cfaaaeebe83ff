// The system's calls as this layer makes them: repeated while signals interrupt them, their failures as errors that
// name the path.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "io/file.h"
#include "io/system.h"

namespace dicube::io {

constexpr std::size_t kMostPerCall = std::size_t{1} << 30;  // bytes

inline System& os() { return System::current(); }

// A call repeated while signals interrupt it.
template <class Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// An error of ours about the file at `path`.
tl::unexpected<Error> fail_at(const std::string& path, ErrorClass error_class, std::string message);

// The error of the system call that just failed.
tl::unexpected<Error> system_error(std::string_view what, const std::string& path);

// The same of a call that makes something: what isn't there then is no input.
tl::unexpected<Error> write_error(std::string_view what, const std::string& path);

// Fills `out`; kDamaged when the file ends before.
Status read_fully(int file, std::uint64_t offset, MutableByteSpan out, const std::string& path);

// Whether the folder's file system is one that keeps the order of what it does: a folder's name is on disk before what
// is in the folder, and syncfs() waits for as much as fsync() of each file. Through FUSE it reaches no server, of SMB
// no other machine's disk, and on FAT it leaves what stands in the disk's own cache. One not listed may do so, too.
bool keeps_order(int folder);

// A path in two parts: a folder held open, and what is left of the path, short enough for the system.
struct Place {
  Handle folder;
  std::string rest;
  int at() const { return folder.is_open() ? folder.get() : AT_FDCWD; }
};

Result<Place> reach(const std::string& path);

}  // namespace dicube::io
