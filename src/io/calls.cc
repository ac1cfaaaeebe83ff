#include "io/calls.h"

#include <limits.h>
#include <linux/magic.h>

#include <algorithm>
#include <cstring>

namespace dicube::io {

tl::unexpected<Error> fail_at(const std::string& path, ErrorClass error_class, std::string message) {
  return tl::unexpected<Error>(Error{error_class, std::move(message), path});
}

tl::unexpected<Error> system_error(std::string_view what, const std::string& path) {
  const int number = errno;
  ErrorClass error_class = ErrorClass::kIo;
  if (number == ENOENT) error_class = ErrorClass::kNotFound;
  if (number == EEXIST) error_class = ErrorClass::kConflict;
  return tl::unexpected<Error>(Error{error_class, formatted("{}: {}", what, std::strerror(number)), path, number});
}

tl::unexpected<Error> write_error(std::string_view what, const std::string& path) {
  const int number = errno;
  return tl::unexpected<Error>(Error{number == EEXIST ? ErrorClass::kConflict : ErrorClass::kIo,
                                     formatted("{}: {}", what, std::strerror(number)), path, number});
}

Status read_fully(int file, std::uint64_t offset, MutableByteSpan out, const std::string& path) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto want = std::min(out.size() - done, kMostPerCall);
    const ssize_t got =
        retried([&] { return os().pread(file, out.data() + done, want, static_cast<off_t>(offset + done)); });
    if (got < 0) return system_error("can't read", path);
    if (got == 0)
      return fail_at(
          path, ErrorClass::kDamaged,
          formatted("ends at byte {}, {} at {} expected", offset + done, counted(out.size(), "byte"), offset));
    done += static_cast<std::size_t>(got);
  }
  return {};
}

bool keeps_order(int folder) {
  struct statfs status;
  if (retried([&] { return os().fstatfs(folder, &status); }) != 0) return false;
  constexpr std::uint32_t kXfs = 0x58465342, kZfs = 0x2FC12FC1, kCeph = 0x00C36400, kBcachefs = 0xCA451A4E;
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case EXT4_SUPER_MAGIC:
    case kXfs:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case kZfs:
    case kBcachefs:
    case OVERLAYFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case NFS_SUPER_MAGIC:
    case kCeph: return true;
    default: return false;
  }
}

Result<Place> reach(const std::string& path) {
  Place place{{}, path};
  while (place.rest.size() >= PATH_MAX) {
    const auto slash = place.rest.find_last_of('/', PATH_MAX - 1);
    if (slash == std::string::npos || slash == 0) break;
    const std::string step = place.rest.substr(0, slash);
    Handle next(retried([&] { return os().openat(place.at(), step.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, 0); }));
    if (!next.is_open()) return system_error("can't open a folder above", path);
    place.folder = std::move(next);
    const auto next_name = place.rest.find_first_not_of('/', slash);  // with a '/' in front it would be one of the root
    place.rest = next_name == std::string::npos ? "." : place.rest.substr(next_name);
  }
  return place;
}

}  // namespace dicube::io
