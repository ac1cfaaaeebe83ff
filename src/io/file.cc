// Reading files, and what is open.
#include "io/file.h"

#include <linux/magic.h>

#include <cerrno>
#include <cstring>

#include "base/checked.h"
#include "io/calls.h"

namespace dicube::io {
namespace {

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

FileState state_of(const struct stat& status, bool keeps_inodes) {
  const FileState state{status.st_dev, 0, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim), 0};
  return keeps_inodes
             ? FileState{state.device, status.st_ino, state.size, state.written_ns, nanoseconds(status.st_ctim)}
             : state;
}

// Whether a file has the same inode, and the same time of its change, whenever it is looked at. These file systems have
// nothing of the kind on disk, or on the other side, and make it anew once the kernel has forgotten the file.
bool keeps_inodes(std::uint32_t file_system) {
  constexpr std::uint32_t kExfat = 0x2011BAB0, kNtfs3 = 0x7366746E, kFuse = 0x65735546, kCifs = 0xFF534D42,
                          kSmb2 = 0xFE534D42;
  switch (file_system) {
    case MSDOS_SUPER_MAGIC:
    case kExfat:
    case kNtfs3:
    case kFuse:
    case SMB_SUPER_MAGIC:
    case kCifs:
    case kSmb2:
    case V9FS_MAGIC: return false;
    default: return true;
  }
}

tl::unexpected<Error> changed(const FileState& before, const FileState& now, std::string_view when,
                              const std::string& path) {
  std::string text;
  if (before.inode != now.inode || before.device != now.device)
    text = formatted("was replaced by another file {}", when);
  else if (before.size != now.size)
    text = formatted("changed {}: {} before, {} now", when, counted(before.size, "byte"), now.size);
  else
    text = formatted("changed {}: {} as before, but touched", when, counted(now.size, "byte"));
  return fail_at(path, ErrorClass::kChanged, std::move(text));
}

}  // namespace

Handle::~Handle() {
  if (file_ >= 0) os().close(file_);
}

Status MemorySource::read_at(std::uint64_t offset, MutableByteSpan out) const {
  if (!fits(offset, out.size(), bytes_.size()))
    return fail_at(name_, ErrorClass::kDamaged,
                   formatted("ends at byte {}, {} at {} expected", bytes_.size(), counted(out.size(), "byte"), offset));
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return {};
}

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
  if (!S_ISREG(status.st_mode)) return fail_at(path, ErrorClass::kIo, "is no regular file");
  struct statfs system {};
  const bool is_told = retried([&] { return os().fstatfs(file->handle_.get(), &system); }) == 0;
  if (!is_told && errno != ENOSYS && errno != EOPNOTSUPP) return system_error("can't stat", path);
  file->keeps_inodes_ = is_told && keeps_inodes(static_cast<std::uint32_t>(system.f_type));
  file->state_ = state_of(status, file->keeps_inodes_);
  return file;
}

Status InputFile::read_at(std::uint64_t offset, MutableByteSpan out) const {
  Status done = read_fully(handle_.get(), offset, out, path_);
  struct stat status;
  if (done || done.error().error_class != ErrorClass::kDamaged || os().fstat(handle_.get(), &status) != 0) return done;
  if (static_cast<std::uint64_t>(status.st_size) == state_.size) return done;
  return fail_at(path_, ErrorClass::kDamaged,
                 formatted("has {} now, {} when it was opened",
                           counted(static_cast<std::uint64_t>(status.st_size), "byte"), state_.size));
}

Status InputFile::check_unchanged() const {
  struct stat status;
  if (retried([&] { return os().fstat(handle_.get(), &status); }) != 0) return system_error("can't stat", path_);
  constexpr std::string_view kWhen = "while it was read";
  if (const FileState now = state_of(status, keeps_inodes_); now != state_) return changed(state_, now, kWhen, path_);
  DICUBE_ASSIGN(const Place place, reach(path_));
  if (retried([&] { return os().fstatat(place.at(), place.rest.c_str(), &status, 0); }) != 0)
    return fail_at(path_, ErrorClass::kChanged, formatted("lost its name {}: {}", kWhen, std::strerror(errno)));
  if (const FileState now = state_of(status, keeps_inodes_); now != state_) return changed(state_, now, kWhen, path_);
  return {};
}

namespace {

Result<std::unique_ptr<InputFile>> open_as_seen(const std::string& path, const FileState* seen) {
  DICUBE_ASSIGN(auto file, InputFile::open(path));
  if (seen != nullptr && file->state() != *seen)
    return changed(*seen, file->state(), "since it was looked at first", path);
  return file;
}

// Of a file whose bytes were read, or not: one that shrank is a changed one.
Status check_read(const InputFile& file, Status done) {
  DICUBE_TRY(file.check_unchanged());
  return done;
}

}  // namespace

Status read_file(const std::string& path, Bytes& bytes, const FileState* seen) {
  DICUBE_ASSIGN(const auto file, open_as_seen(path, seen));
  if (bytes.capacity() < file->size()) {  // room for a neighbour that is a little longer, and nothing to copy
    bytes.clear();
    bytes.reserve(file->size() + file->size() / 64);
  }
  bytes.resize(file->size());
  return check_read(*file, file->read_at(0, bytes));
}

Status read_file(const std::string& path, const Sink& sink, const FileState* seen) {
  DICUBE_ASSIGN(const auto file, open_as_seen(path, seen));
  const auto read = [&](std::uint64_t at, MutableByteSpan out) { return file->read_at(at, out); };
  return check_read(*file, in_pieces(file->size(), read, sink));
}

}  // namespace dicube::io
