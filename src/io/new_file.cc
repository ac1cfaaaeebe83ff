// Files that get their name once they are whole.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdio>
#include <initializer_list>
#include <random>

#include "io/calls.h"
#include "io/file.h"

namespace dicube::io {

NewFile::NewFile(NewFile&& other) noexcept
    : folder_(other.folder_),
      handle_(std::move(other.handle_)),
      name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      size_(other.size_),
      synced_(std::move(other.synced_)),
      made_(std::move(other.made_)) {}

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
    if (written == 0) return fail_at(path_, ErrorClass::kIo, "can't write: the system takes no bytes");
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

void NewFile::give_back(std::uint64_t offset, std::uint64_t bytes) const {
  os().fallocate(handle_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                 static_cast<off_t>(bytes));
}

void NewFile::start_writeback() const { os().sync_file_range(handle_.get(), 0, 0, SYNC_FILE_RANGE_WRITE); }

Status NewFile::read_at(std::uint64_t offset, MutableByteSpan out) const {
  return read_fully(handle_.get(), offset, out, path_);
}

int NewFile::link_as(const Folder& folder, const std::string& name) const {
  const std::string unnamed = formatted("/proc/self/fd/{}", handle_.get());
  return retried([&] {
    return temporary_.empty()
               ? os().linkat(AT_FDCWD, unnamed.c_str(), folder.descriptor(), name.c_str(), AT_SYMLINK_FOLLOW)
               : os().linkat(folder_->descriptor(), temporary_.c_str(), folder.descriptor(), name.c_str(), 0);
  });
}

int NewFile::rename(const Folder& folder, unsigned flags) {
  const int done = retried([&] {
    return os().renameat2(folder_->descriptor(), temporary_.c_str(), folder.descriptor(), name_.c_str(), flags);
  });
  if (done == 0) temporary_.clear();
  return done;
}

// By link(), which every system has that never replaces; where files have no second names, as a USB stick's, by
// rename() that does not; and where there is neither, only looking is left.
Status NewFile::place_new(const Folder& folder) {
  const auto is_one_of = [](std::initializer_list<int> errors) {
    return std::ranges::find(errors, errno) != errors.end();
  };
  if (link_as(folder, name_) == 0) return {};
  const bool has_links = temporary_.empty() || !is_one_of({EPERM, EOPNOTSUPP, ENOSYS});
  if (!has_links && rename(folder, RENAME_NOREPLACE) == 0) return {};
  const bool only_looks = !has_links && is_one_of({EINVAL, ENOSYS});
  if (errno == EEXIST || (only_looks && folder.has(name_)))
    return tl::unexpected<Error>(Error{ErrorClass::kConflict, "exists already", path_, EEXIST});
  if (only_looks && rename(folder, 0) == 0) return {};
  return write_error("can't name the file", path_);
}

// Replacing in one step needs rename(), and that a name.
Status NewFile::replace(const Folder& folder) {
  if (temporary_.empty()) {
    std::string temporary = temporary_name();
    if (link_as(*folder_, temporary) != 0) return write_error("can't name the file", path_);
    temporary_ = std::move(temporary);
  }
  if (rename(folder, 0) == 0) return {};
  if (errno == EISDIR)
    return tl::unexpected<Error>(Error{ErrorClass::kConflict, "is a folder, which no file replaces", path_, EISDIR});
  return write_error("can't replace the file", path_);
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

// Waits until the system has given all bytes to the disk. It tells of an error once: fsync() would know of none then.
void NewFile::wait_for_writeback() {
  constexpr unsigned kAll = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  if (retried([&] { return os().sync_file_range(handle_.get(), 0, 0, kAll); }) == 0)
    synced_ = Status();
  else if (errno != ENOSYS)
    synced_ = system_error("can't sync", path_);
}

Status NewFile::finish(bool overwrite, bool may_rename) {
  if (synced_)
    DICUBE_TRY(*synced_);
  else if (retried([&] { return os().fsync(handle_.get()); }) != 0)
    return system_error("can't sync", path_);
  DICUBE_TRY(make_folder());
  return place(made_ ? *made_ : *folder_, overwrite, may_rename);
}

Status NewFile::make_folder() {
  if (made_ || !folder_->is_plan()) return {};
  DICUBE_ASSIGN(auto folder, folder_->made());
  made_ = std::make_unique<Folder>(std::move(folder));
  return {};
}

Status NewFile::place(const Folder& folder, bool overwrite, bool may_rename) {
  const std::string wanted = name_;
  Status placed = overwrite ? replace(folder) : place_new(folder);
  for (unsigned number = 2;
       may_rename && number <= kMostOfOneName && !placed && placed.error().error_class == ErrorClass::kConflict;
       ++number) {
    name_ = numbered(wanted, number);
    path_ = path_in(folder.path(), name_);
    placed = place_new(folder);
  }
  DICUBE_TRY(std::move(placed));
  if (synced_) return {};
  if (auto synced = folder.sync(); !synced) {
    if (!overwrite) retried([&] { return os().unlinkat(folder.descriptor(), name_.c_str(), 0); });
    return synced;
  }
  return {};
}

// Whether its file system can be synced as a whole.
bool CommonSync::meet(const Folder& in) {
  struct stat status;
  if (retried([&] { return os().fstat(in.descriptor(), &status); }) != 0) return false;
  const auto device = static_cast<std::uint64_t>(status.st_dev);
  for (const FileSystem& met : met_)
    if (met.device == device) return true;
  if (!keeps_order(in.descriptor())) return false;
  Handle folder(retried([&] { return ::fcntl(in.descriptor(), F_DUPFD_CLOEXEC, 0); }));
  if (!folder.is_open()) return false;
  met_.push_back({device, std::move(folder), in.path()});
  return true;
}

Status CommonSync::sync_file_systems() const {
  for (const FileSystem& met : met_)
    if (retried([&] { return os().syncfs(met.folder.get()); }) != 0)
      return system_error("can't sync the file system of", met.path);
  return {};
}

void CommonSync::sync(std::span<NewFile* const> files) {
  if (files.size() < kWorthIt) return;
  for (const NewFile* file : files)
    if (!meet(*file->folder_)) return;
  if (!sync_file_systems()) return;
  for (NewFile* file : files) {
    file->wait_for_writeback();
    has_names_ |= file->synced_.has_value();
  }
}

Status CommonSync::sync_names() const {
  if (!has_names_) return {};
  const Status synced = sync_file_systems();
  return !synced && synced.error().system == ENOSYS ? Status() : synced;  // then of folders alone
}

}  // namespace dicube::io
