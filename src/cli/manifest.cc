#include "cli/manifest.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>

namespace dicube::cli {
namespace {

constexpr std::array<std::string_view, 3> kStarts = {"{\"archive\":", "{\"error\":", "{\"left_out\":"};  // of lines

// A file system without locks has no such neighbours, or none that we could wait for.
class Lock {
 public:
  explicit Lock(int file) : file_(file) { ::flock(file_, LOCK_EX); }
  ~Lock() { ::flock(file_, LOCK_UN); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

// Bytes of the file; nothing for what has no size, as a pipe.
std::optional<std::uint64_t> size_of(int file) {
  struct stat status;
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

// One that we could read from ourselves would, once full, wait for ever for a reader that is gone. So that is an error
// like others, and no signal.
bool is_pipe(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_fifo(path, ignored)) return false;
  std::signal(SIGPIPE, SIG_IGN);
  return true;
}

// Whether a file that starts so is a manifest, or the start of one.
bool is_manifest(std::string_view start) {
  return std::ranges::any_of(
      kStarts, [&](std::string_view known) { return start.starts_with(known) || known.starts_with(start); });
}

std::string read_some(int file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = ::pread(file, bytes.data(), size, static_cast<off_t>(offset));
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  return bytes;
}

tl::unexpected<Error> not_written(const std::string& path) {
  return tl::unexpected<Error>(
      Error{ErrorClass::kIo, formatted("can't be written: {}", std::strerror(errno)), path, errno});
}

}  // namespace

Result<std::unique_ptr<Manifest>> Manifest::open(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (!folder.empty()) DICUBE_TRY(io::Folder::make(folder));
  const int access = is_pipe(path) ? O_WRONLY : O_RDWR;
  io::Handle file(::open(path.c_str(), access | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file.is_open()) return not_written(path);
  std::unique_ptr<Manifest> manifest(new Manifest(path, std::move(file)));
  DICUBE_TRY(manifest->cut_half_line());
  return manifest;
}

// Of a process that was killed in the middle of it, or a machine.
Status Manifest::cut_half_line() {
  constexpr std::size_t kBlock = 65536;
  const Lock lock(file_.get());
  std::uint64_t size = size_of(file_.get()).value_or(0);
  if (size == 0) return {};
  if (!is_manifest(read_some(file_.get(), 0, kStarts[0].size())))
    return tl::unexpected<Error>(Error{ErrorClass::kUsage, "exists and is no manifest: left as it is", path_});
  const std::uint64_t whole = size;
  while (size > 0) {
    const std::uint64_t begin = size - std::min<std::uint64_t>(size, kBlock);
    const std::size_t end_of_line = read_some(file_.get(), begin, size - begin).rfind('\n');
    size = end_of_line == std::string::npos ? begin : begin + end_of_line + 1;
    if (end_of_line != std::string::npos) break;
  }
  if (size < whole && ::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) return not_written(path_);
  return {};
}

void Manifest::add(const std::string& line) {
  if (state_) state_ = append(line + "\n");
}

Status Manifest::append(const std::string& line) {
  const Lock lock(file_.get());
  const auto size = size_of(file_.get());
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t written = ::write(file_.get(), line.data() + done, line.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const auto failed = not_written(path_);
      [[maybe_unused]] const bool cut = size && ::ftruncate(file_.get(), static_cast<off_t>(*size)) == 0;
      return failed;
    }
    done += static_cast<std::size_t>(written);
  }
  return {};
}

}  // namespace dicube::cli
