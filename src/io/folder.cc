// Folders: what stands in them, and those held open.
#include <dirent.h>
#include <linux/magic.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "io/calls.h"
#include "io/file.h"

namespace dicube::io {

Result<std::vector<Entry>> list_folder(const std::string& path) {
  DICUBE_ASSIGN(const Place place, reach(path));
  Handle handle(
      retried([&] { return os().openat(place.at(), place.rest.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); }));
  if (!handle.is_open()) return system_error("can't open the folder", path);
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(handle.get()), ::closedir);
  if (!folder) return system_error("can't read the folder", path);
  const int descriptor = handle.release();  // the stream's now
  std::vector<Entry> entries;
  while (true) {
    errno = 0;
    const dirent* found = ::readdir(folder.get());
    if (found == nullptr && errno != 0) return system_error("can't read the folder", path);
    if (found == nullptr) return entries;
    Entry entry{found->d_name};
    if (entry.name == "." || entry.name == "..") continue;
    struct stat status;
    if (retried([&] { return os().fstatat(descriptor, found->d_name, &status, 0); }) != 0) {
      entry.error = errno;
      entry.kind = found->d_type == DT_DIR ? Entry::Kind::kFolder : Entry::Kind::kUnknown;
    } else if (S_ISDIR(status.st_mode)) {
      struct stat own;
      const bool link =
          retried([&] { return os().fstatat(descriptor, found->d_name, &own, AT_SYMLINK_NOFOLLOW); }) == 0 &&
          S_ISLNK(own.st_mode);
      entry.kind = link ? Entry::Kind::kLinkToFolder : Entry::Kind::kFolder;
    } else {
      entry.kind = S_ISREG(status.st_mode) ? Entry::Kind::kFile : Entry::Kind::kOther;
      entry.size = static_cast<std::uint64_t>(status.st_size);
    }
    entries.push_back(std::move(entry));
  }
}

std::string path_in(const std::string& folder, const std::string& name) {
  if (folder == ".") return name;
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

FolderAndName split_path(const std::string& path) {
  const std::filesystem::path whole(path);
  const std::string folder = whole.parent_path().string();
  return {folder.empty() ? "." : folder, whole.filename().string()};
}

Result<Folder> Folder::open(const std::string& path) {
  Folder folder;
  folder.path_ = path;
  folder.handle_ =
      Handle(retried([&] { return os().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); }));
  if (!folder.handle_.is_open()) return system_error("can't open the folder", path);
  return folder;
}

namespace {

Handle open_in(int at, const std::string& name) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  return Handle(retried([&] { return os().openat(at, name.c_str(), flags, 0); }));
}

tl::unexpected<Error> not_entered(const std::string& path) {
  if (errno == ELOOP || errno == ENOTDIR)
    return fail_at(path, ErrorClass::kConflict, "is in the way: no folder, or a symbolic link");
  return system_error("can't open the folder", path);
}

// Leads out of a missing folder back to where that would stand: such a folder is not made.
void leave_missing_folders(std::vector<std::string>& names) {
  std::vector<std::string> left;
  for (std::string& name : names) {
    if (name == ".") continue;
    if (name == ".." && !left.empty() && left.back() != "..")
      left.pop_back();
    else
      left.push_back(std::move(name));
  }
  names = std::move(left);
}

// Of a path that leads through what is no folder, or to it: that, which is in the way.
Error not_a_folder(const std::string& path) {
  std::filesystem::path in_the_way(path);
  std::error_code failed;
  while (in_the_way.has_relative_path() && !std::filesystem::exists(in_the_way, failed))
    in_the_way = in_the_way.parent_path();
  return {ErrorClass::kUsage, "is no folder, and one is wanted there", in_the_way.string(), ENOTDIR};
}

}  // namespace

Result<Folder> Folder::plan(const std::string& path) {
  std::vector<std::string> names;  // of those that are not there
  std::string above = path;
  auto folder = open(above);
  while (!folder && folder.error().error_class == ErrorClass::kNotFound) {
    const auto end = above.find_last_not_of('/');
    const auto slash = above.find_last_of('/', end);
    const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
    std::string next = name == 0 ? "." : above.substr(0, name);
    if (next == above) return folder;
    names.insert(names.begin(), above.substr(name, end - name + 1));
    above = std::move(next);
    folder = open(above);
  }
  if (!folder && folder.error().system == ENOTDIR) return tl::unexpected<Error>(not_a_folder(path));
  if (!folder) return folder;
  const std::size_t all = names.size();
  leave_missing_folders(names);
  folder->path_ = path;
  if (names.size() < all) {
    folder->path_ = above;
    for (const std::string& name : names) folder->path_ = path_in(folder->path_, name);
  }
  folder->there_ = above;
  folder->missing_ = std::move(names);
  DICUBE_TRY(folder->go_down(folder->descriptor()));
  return folder;
}

Result<Folder> Folder::make(const std::string& path) {
  DICUBE_ASSIGN(const Folder planned, plan(path));
  return planned.made();
}

Result<Folder> Folder::enter(const std::string& name) const {
  Folder folder;
  folder.path_ = path_in(path_, name);
  folder.there_ = missing_.empty() ? path_ : there_;
  folder.missing_ = missing_;
  folder.missing_.push_back(name);
  DICUBE_TRY(folder.go_down(descriptor()));
  return folder;
}

// Opens those of the missing folders that are there after all; the first is seen from `at`. That the others can't be
// made is said now, and not when there is something to stand in them.
Status Folder::go_down(int at) {
  while (!missing_.empty()) {
    Handle next = open_in(at, missing_.front());
    if (!next.is_open() && errno == ENOENT) break;
    if (!next.is_open()) return not_entered(path_in(there_, missing_.front()));
    handle_ = std::move(next);
    at = descriptor();
    there_ = path_in(there_, missing_.front());
    missing_.erase(missing_.begin());
  }
  if (!handle_.is_open()) handle_ = open_in(at, ".");
  if (!handle_.is_open()) return not_entered(path_);
  if (!missing_.empty() && ::faccessat(descriptor(), ".", W_OK | X_OK, AT_EACCESS) != 0)
    return write_error("can't make the folder", path_in(there_, missing_.front()));
  return {};
}

// The folder `name` in this one, made where there is none. Its name would be lost with the machine's power, and all in
// it, where syncing that does not sync the name along.
Result<Folder> Folder::make_in(const std::string& name) const {
  Folder folder;
  folder.path_ = path_in(path_, name);
  folder.handle_ = open_in(descriptor(), name);
  if (!folder.handle_.is_open() && errno == ENOENT) {
    const bool is_new = retried([&] { return os().mkdirat(descriptor(), name.c_str(), 0777); }) == 0;
    if (!is_new && errno != EEXIST) return write_error("can't make the folder", folder.path_);
    if (is_new && !keeps_order(descriptor())) DICUBE_TRY(sync());
    folder.handle_ = open_in(descriptor(), name);
  }
  if (!folder.handle_.is_open()) return not_entered(folder.path_);
  return folder;
}

Result<Folder> Folder::made() const {
  Folder folder;
  folder.path_ = missing_.empty() ? path_ : there_;
  DICUBE_TRY(folder.go_down(descriptor()));
  for (const std::string& name : missing_) {
    DICUBE_ASSIGN(folder, folder.make_in(name));
  }
  folder.path_ = path_;
  return folder;
}

Result<std::optional<Folder>> enter_all(const Folder& root, std::span<const std::string> names) {
  std::optional<Folder> inner;
  for (const std::string& name : names) {
    DICUBE_ASSIGN(auto next, (inner ? *inner : root).enter(name));
    inner.emplace(std::move(next));
  }
  return inner;
}

bool Folder::has(const std::string& name) const {
  std::string place;
  for (const std::string& missing : missing_) place += missing + "/";
  return ::faccessat(handle_.get(), (place + name).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Status Folder::check_writable() const {
  if (::faccessat(descriptor(), ".", W_OK | X_OK, AT_EACCESS) == 0) return {};
  return write_error("can't write into the folder", path_);
}

namespace {

// Whether files surely take as many bytes as they have: others may compress them.
bool keeps_plain_bytes(std::uint32_t file_system) {
  constexpr std::uint32_t kXfs = 0x58465342, kExfat = 0x2011BAB0;
  switch (file_system) {
    case EXT4_SUPER_MAGIC:  // and its forerunners
    case kXfs:
    case TMPFS_MAGIC:
    case MSDOS_SUPER_MAGIC:
    case kExfat: return true;
    default: return false;
  }
}

}  // namespace

std::optional<std::uint64_t> Folder::free_bytes() const {
  struct statfs status {};
  const int done = retried([&] { return os().fstatfs(handle_.get(), &status); });
  if (done != 0 || status.f_blocks == 0 || !keeps_plain_bytes(static_cast<std::uint32_t>(status.f_type)))
    return std::nullopt;
  const std::uint64_t blocks = status.f_bfree;  // with those that are reserved: for whom is not known here
  const auto size = static_cast<std::uint64_t>(status.f_bsize);
  return blocks > UINT64_MAX / std::max<std::uint64_t>(1, size) ? UINT64_MAX : blocks * size;
}

bool Folder::is_on_same_disk(const std::string& name) const {
  if (!missing_.empty()) return true;
  struct stat own, folder;
  if (retried([&] { return os().fstat(handle_.get(), &own); }) != 0) return true;
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    if (::fstatat(handle_.get(), name.substr(0, slash).c_str(), &folder, AT_SYMLINK_NOFOLLOW) != 0) break;
    if (!S_ISDIR(folder.st_mode) || folder.st_dev != own.st_dev) return false;
  }
  return true;
}

Status Folder::sync() const {
  const bool well = retried([&] { return os().fsync(handle_.get()); }) == 0;
  // Some file systems, of shared folders, have no such call for folders: what to wait for is theirs to know.
  if (!well && errno != EINVAL && errno != ENOTSUP && errno != ENOSYS)
    return system_error("can't sync the folder", path_);
  return {};
}

}  // namespace dicube::io
