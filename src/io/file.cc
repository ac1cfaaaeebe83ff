#include "io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <random>

#include "base/checked.h"
#include "io/system.h"

namespace dicube::io {
namespace {

constexpr std::size_t kMostPerCall = std::size_t{1} << 30;

System& os() { return System::current(); }

// The error of the system call that just failed.
tl::unexpected<Error> system_error(std::string_view what, const std::string& path) {
  const int number = errno;
  ErrorClass error_class = ErrorClass::kIo;
  if (number == ENOENT) error_class = ErrorClass::kNotFound;
  if (number == EEXIST) error_class = ErrorClass::kConflict;
  return tl::unexpected<Error>(Error{error_class, formatted("{}: {}", what, std::strerror(number)), path, number});
}

// The same of a call that makes something: what isn't there then is no input.
tl::unexpected<Error> write_error(std::string_view what, const std::string& path) {
  const int number = errno;
  return tl::unexpected<Error>(Error{number == EEXIST ? ErrorClass::kConflict : ErrorClass::kIo,
                                     formatted("{}: {}", what, std::strerror(number)), path, number});
}

// A call repeated while signals interrupt it.
template <class Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Status read_fully(int file, std::uint64_t offset, MutableByteSpan out, const std::string& path) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto want = std::min(out.size() - done, kMostPerCall);
    const ssize_t got =
        retried([&] { return os().pread(file, out.data() + done, want, static_cast<off_t>(offset + done)); });
    if (got < 0) return system_error("can't read", path);
    if (got == 0)
      return tl::unexpected<Error>(
          Error{ErrorClass::kDamaged,
                formatted("ends at byte {}, {} bytes at {} expected", offset + done, out.size(), offset), path});
    done += static_cast<std::size_t>(got);
  }
  return {};
}

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace

Status MemorySource::read_at(std::uint64_t offset, MutableByteSpan out) const {
  if (!fits(offset, out.size(), bytes_.size()))
    return tl::unexpected<Error>(
        Error{ErrorClass::kDamaged,
              formatted("ends at byte {}, {} bytes at {} expected", bytes_.size(), out.size(), offset), name_});
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return {};
}

Handle::~Handle() {
  if (file_ >= 0) os().close(file_);
}

namespace {

// A path in two parts: a folder held open, and what is left of the path, short enough for the system.
struct Place {
  Handle folder;
  std::string rest;
  int at() const { return folder.is_open() ? folder.get() : AT_FDCWD; }
};

Result<Place> reach(const std::string& path) {
  Place place{{}, path};
  while (place.rest.size() >= PATH_MAX) {
    const auto slash = place.rest.find_last_of('/', PATH_MAX - 1);
    if (slash == std::string::npos || slash == 0) break;
    const std::string step = place.rest.substr(0, slash);
    Handle next(retried([&] { return os().openat(place.at(), step.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, 0); }));
    if (!next.is_open()) return system_error("can't open a folder above", path);
    place.folder = std::move(next);
    place.rest.erase(0, slash + 1);
  }
  return place;
}

FileState state_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

tl::unexpected<Error> changed(const FileState& before, const FileState& now, std::string_view when,
                              const std::string& path) {
  std::string text;
  if (before.inode != now.inode || before.device != now.device)
    text = formatted("was replaced by another file {}", when);
  else if (before.size != now.size)
    text = formatted("changed {}: {} bytes before, {} now", when, before.size, now.size);
  else
    text = formatted("changed {}: {} bytes as before, but touched", when, now.size);
  return tl::unexpected<Error>(Error{ErrorClass::kChanged, text, path});
}

}  // namespace

Result<std::unique_ptr<InputFile>> InputFile::open(const std::string& path) {
  std::unique_ptr<InputFile> file(new InputFile);
  file->path_ = path;
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  DICUBE_ASSIGN(const Place place, reach(path));
  file->handle_ = Handle(
      retried([&] { return os().openat(place.at(), place.rest.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0); }));
  if (!file->handle_.is_open()) return system_error("can't open", path);
  struct stat status;
  if (retried([&] { return os().fstat(file->handle_.get(), &status); }) != 0) return system_error("can't stat", path);
  if (S_ISDIR(status.st_mode))
    return tl::unexpected<Error>(Error{ErrorClass::kIo, "is a folder, no file", path, EISDIR});
  if (!S_ISREG(status.st_mode)) return tl::unexpected<Error>(Error{ErrorClass::kIo, "is no regular file", path});
  file->state_ = state_of(status);
  return file;
}

Status InputFile::read_at(std::uint64_t offset, MutableByteSpan out) const {
  return read_fully(handle_.get(), offset, out, path_);
}

Status InputFile::check_unchanged() const {
  struct stat status;
  if (retried([&] { return os().fstat(handle_.get(), &status); }) != 0) return system_error("can't stat", path_);
  constexpr std::string_view kWhen = "while it was read";
  if (const FileState now = state_of(status); now != state_) return changed(state_, now, kWhen, path_);
  DICUBE_ASSIGN(const Place place, reach(path_));
  if (retried([&] { return os().fstatat(place.at(), place.rest.c_str(), &status, 0); }) != 0)
    return tl::unexpected<Error>(
        Error{ErrorClass::kChanged, formatted("lost its name {}: {}", kWhen, std::strerror(errno)), path_});
  if (const FileState now = state_of(status); now != state_) return changed(state_, now, kWhen, path_);
  return {};
}

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

Status read_file(const std::string& path, Bytes& bytes, const FileState* seen) {
  DICUBE_ASSIGN(auto file, InputFile::open(path));
  if (seen != nullptr && file->state() != *seen)
    return changed(*seen, file->state(), "since it was looked at first", path);
  if (bytes.capacity() < file->size()) {  // room for a neighbour that is a little longer, and nothing to copy
    bytes.clear();
    bytes.reserve(file->size() + file->size() / 64);
  }
  bytes.resize(file->size());
  if (auto status = file->read_at(0, bytes); !status) {
    DICUBE_TRY(file->check_unchanged());  // a file that shrank is a changed one
    return tl::unexpected<Error>(status.error());
  }
  return file->check_unchanged();
}

std::string path_in(const std::string& folder, const std::string& name) {
  if (folder == ".") return name;
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

Result<Folder> Folder::open(const std::string& path) {
  Folder folder;
  folder.path_ = path;
  folder.handle_ =
      Handle(retried([&] { return os().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); }));
  if (!folder.handle_.is_open()) return system_error("can't open the folder", path);
  return folder;
}

Result<Folder> Folder::make(const std::string& path) {
  if (auto folder = open(path); folder || folder.error().error_class != ErrorClass::kNotFound) return folder;
  const auto slash = path.find_last_of('/', path.find_last_not_of('/'));
  if (slash != std::string::npos && slash > 0) DICUBE_TRY(make(path.substr(0, slash)));
  if (retried([&] { return os().mkdirat(AT_FDCWD, path.c_str(), 0777); }) != 0 && errno != EEXIST)
    return write_error("can't make the folder", path);
  return open(path);
}

Result<Folder> Folder::enter(const std::string& name) const {
  Folder folder;
  folder.path_ = path_in(path_, name);
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  auto open_it = [&] { return retried([&] { return os().openat(handle_.get(), name.c_str(), flags, 0); }); };
  folder.handle_ = Handle(open_it());
  if (!folder.handle_.is_open() && errno == ENOENT) {
    if (retried([&] { return os().mkdirat(handle_.get(), name.c_str(), 0777); }) != 0 && errno != EEXIST)
      return write_error("can't make the folder", folder.path_);
    folder.handle_ = Handle(open_it());
  }
  if (folder.handle_.is_open()) return folder;
  if (errno == ELOOP || errno == ENOTDIR)
    return tl::unexpected<Error>(
        Error{ErrorClass::kConflict, "is in the way: no folder, or a symbolic link", folder.path_});
  return system_error("can't open the folder", folder.path_);
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
  return ::faccessat(handle_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Status Folder::sync() const {
  const bool well = retried([&] { return os().fsync(handle_.get()); }) == 0;
  // Some file systems, of shared folders, have no such call for folders: what to wait for is theirs to know.
  if (!well && errno != EINVAL && errno != ENOTSUP && errno != ENOSYS)
    return system_error("can't sync the folder", path_);
  return {};
}

NewFile::NewFile(NewFile&& other) noexcept
    : folder_(other.folder_),
      handle_(std::move(other.handle_)),
      name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      size_(other.size_) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) retried([&] { return os().unlinkat(folder_->descriptor(), temporary_.c_str(), 0); });
}

namespace {

// No other process's, on other machines with the same folder and in containers, which number theirs alike, either.
std::string temporary_name() {
  static std::atomic<unsigned> count = 0;
  static const unsigned start = std::random_device()();
  return formatted(".dicube-{}-{:08x}-{}.tmp", ::getpid(), start, count++);
}

}  // namespace

Result<NewFile> NewFile::create(const Folder& folder, std::string name) {
  NewFile file;
  file.folder_ = &folder;
  file.path_ = path_in(folder.path(), name);
  file.name_ = std::move(name);
  const bool can_be_named = os().names_open_files();
  if (can_be_named)
    file.handle_ =
        Handle(retried([&] { return os().openat(folder.descriptor(), ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0666); }));
  if (file.handle_.is_open()) return file;
  if (can_be_named && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
    return write_error("can't write", file.path_);
  std::string temporary = temporary_name();
  file.handle_ = Handle(retried([&] {
    return os().openat(folder.descriptor(), temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }));
  if (!file.handle_.is_open()) return write_error("can't write", file.path_);
  file.temporary_ = std::move(temporary);
  return file;
}

Status NewFile::append(ByteSpan bytes) {
  DICUBE_TRY(write_at(size_, bytes));
  size_ += bytes.size();
  return {};
}

Status NewFile::write_at(std::uint64_t offset, ByteSpan bytes) {
  while (!bytes.empty()) {
    const auto size = std::min(bytes.size(), kMostPerCall);
    const ssize_t written =
        retried([&] { return os().pwrite(handle_.get(), bytes.data(), size, static_cast<off_t>(offset)); });
    if (written < 0) return write_error("can't write", path_);
    if (written == 0)
      return tl::unexpected<Error>(Error{ErrorClass::kIo, "can't write: the system takes no bytes", path_});
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

void NewFile::start_writeback() const { ::sync_file_range(handle_.get(), 0, 0, SYNC_FILE_RANGE_WRITE); }

Status NewFile::read_at(std::uint64_t offset, MutableByteSpan out) const {
  return read_fully(handle_.get(), offset, out, path_);
}

// A name can be given without replacing what has it only by link(); replacing in one step needs rename(), and that a
// name.
Status NewFile::place(bool overwrite) {
  const int folder = folder_->descriptor();
  const bool named = !temporary_.empty();
  const std::string unnamed = formatted("/proc/self/fd/{}", handle_.get());
  auto link_as = [&](const std::string& name) {
    return retried([&] {
      return named ? os().linkat(folder, temporary_.c_str(), folder, name.c_str(), 0)
                   : os().linkat(AT_FDCWD, unnamed.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW);
    });
  };
  if (!overwrite) {
    if (link_as(name_) == 0) return {};
    const bool no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
    const Error exists{ErrorClass::kConflict, "exists already", path_, EEXIST};
    if (errno == EEXIST) return tl::unexpected<Error>(exists);
    if (!named || !no_links) return system_error("can't name the file", path_);
    if (folder_->has(name_)) return tl::unexpected<Error>(exists);
  }
  if (!named) {
    std::string temporary = temporary_name();
    if (link_as(temporary) != 0) return write_error("can't name the file", path_);
    temporary_ = std::move(temporary);
  }
  if (retried([&] { return os().renameat(folder, temporary_.c_str(), folder, name_.c_str()); }) != 0)
    return write_error("can't replace the file", path_);
  temporary_.clear();
  return {};
}

namespace {

constexpr unsigned kMostOfOneName = 10'000;

// "scan.dcbs", 2 -> "scan-2.dcbs". An ending is short and has a letter: "1.2.840.113" has none.
std::string numbered(const std::string& name, unsigned number) {
  constexpr std::size_t kLongestEnding = 5;  // with its dot
  const std::size_t dot = name.rfind('.');
  const bool is_ending = dot != std::string::npos && dot > 0 && name.size() - dot <= kLongestEnding &&
                         std::any_of(name.begin() + static_cast<std::ptrdiff_t>(dot), name.end(),
                                     [](unsigned char c) { return std::isalpha(c) != 0; });
  const std::size_t stem = is_ending ? dot : name.size();
  return formatted("{}-{}{}", name.substr(0, stem), number, name.substr(stem));
}

}  // namespace

Status NewFile::commit(bool overwrite) { return finish(overwrite, false); }
Status NewFile::commit_renamed() { return finish(false, true); }

Status NewFile::finish(bool overwrite, bool may_rename) {
  if (retried([&] { return os().fsync(handle_.get()); }) != 0) return system_error("can't sync", path_);
  const std::string wanted = name_;
  Status placed = place(overwrite);
  for (unsigned number = 2;
       may_rename && number <= kMostOfOneName && !placed && placed.error().error_class == ErrorClass::kConflict;
       ++number) {
    name_ = numbered(wanted, number);
    path_ = path_in(folder_->path(), name_);
    placed = place(false);
  }
  DICUBE_TRY(std::move(placed));
  if (auto synced = folder_->sync(); !synced) {
    if (!overwrite) retried([&] { return os().unlinkat(folder_->descriptor(), name_.c_str(), 0); });
    return synced;
  }
  return {};
}

}  // namespace dicube::io
