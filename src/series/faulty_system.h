// For tests: a system that fails, or a process that ends, at a chosen call.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/formatted.h"
#include "io/system.h"

namespace dicube::testing {

constexpr int kExited = 42;
enum class Call { kOpen, kRead, kWrite, kStat, kSync, kGiveBack, kMakeFolder, kLink, kRename, kUnlink, kClose };

// Whether it is about bytes: folders are made when all of a file's are there.
inline bool is_of_bytes(Call call) { return call == Call::kRead || call == Call::kWrite || call == Call::kGiveBack; }

// What befalls the chosen call.
enum class Fault {
  kNone,
  kIoError,    // EIO, once
  kNoSpace,    // ENOSPC, once
  kDiskFull,   // ENOSPC, from then on, for every call that takes space
  kInterrupt,  // EINTR, once
  kShort,      // reads, writes and copies do one byte only
  kExit,       // the process ends before the call
  kExitAfter,  // the process ends after the call; of a write, after half of it
};

// A file system with or without files that have no name (O_TMPFILE), and with or without hard links.
struct FileSystem {
  bool nameless = true;
  bool links = true;
};

// Makes call number `strike` fail. Nothing is synced: the tests end processes, not the machine.
class FaultySystem : public io::System {
 public:
  FaultySystem(Fault fault, std::size_t strike, FileSystem file_system = {})
      : fault_(fault), strike_(strike), file_system_(file_system) {}

  bool has_struck() const { return calls_ > strike_; }
  Call struck() const { return struck_; }

  int openat(int folder, const char* name, int flags, mode_t mode) override {
    if (!file_system_.nameless && (flags & O_TMPFILE) == O_TMPFILE) return refuse(EOPNOTSUPP);
    const bool makes = (flags & O_TMPFILE) == O_TMPFILE || (flags & O_CREAT) != 0;
    return call(Call::kOpen, makes, [&] { return System::openat(folder, name, flags, mode); });
  }
  ssize_t pread(int file, void* to, std::size_t size, off_t offset) override {
    return call_sized(Call::kRead, false, size, [&](std::size_t n) { return System::pread(file, to, n, offset); });
  }
  ssize_t pwrite(int file, const void* from, std::size_t size, off_t offset) override {
    return call_sized(Call::kWrite, true, size, [&](std::size_t n) { return System::pwrite(file, from, n, offset); });
  }
  int fstat(int file, struct stat* status) override {
    return call(Call::kStat, false, [&] { return System::fstat(file, status); });
  }
  int fstatfs(int file, struct statfs* status) override {
    return call(Call::kStat, false, [&] { return System::fstatfs(file, status); });
  }
  int fsync(int) override {
    return call(Call::kSync, false, [] { return 0; });
  }
  int syncfs(int) override {
    return call(Call::kSync, false, [] { return 0; });
  }
  int sync_file_range(int, off_t, off_t, unsigned) override {
    return call(Call::kSync, false, [] { return 0; });
  }
  int fallocate(int file, int mode, off_t offset, off_t size) override {
    return call(Call::kGiveBack, false, [&] { return System::fallocate(file, mode, offset, size); });
  }
  int mkdirat(int folder, const char* name, mode_t mode) override {
    return call(Call::kMakeFolder, true, [&] { return System::mkdirat(folder, name, mode); });
  }
  int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) override {
    if (!file_system_.links) return refuse(EPERM);
    return call(Call::kLink, true, [&] { return System::linkat(from_folder, from, to_folder, to, flags); });
  }
  int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) override {
    return call(Call::kRename, true, [&] { return System::renameat2(from_folder, from, to_folder, to, flags); });
  }
  int unlinkat(int folder, const char* name, int flags) override {
    return call(Call::kUnlink, false, [&] { return System::unlinkat(folder, name, flags); });
  }
  // A close that fails has closed the file all the same.
  int close(int file) override {
    const int closed = System::close(file);
    return call(Call::kClose, false, [&] { return closed; });
  }

 private:
  static int refuse(int error) {
    errno = error;
    return -1;
  }
  bool is_struck(Call call) {
    const std::size_t number = calls_++;
    if (number == strike_) struck_ = call;
    return number == strike_;
  }
  // The error of this call; 0 for none.
  int error_of(bool struck, bool takes_space) const {
    if (fault_ == Fault::kDiskFull) return takes_space && has_struck() ? ENOSPC : 0;
    if (!struck) return 0;
    return fault_ == Fault::kIoError     ? EIO
           : fault_ == Fault::kNoSpace   ? ENOSPC
           : fault_ == Fault::kInterrupt ? EINTR
                                         : 0;
  }
  template <class Real>
  int call(Call which, bool takes_space, Real real) {
    return static_cast<int>(call_sized(which, takes_space, 1, [&](std::size_t) { return ssize_t{real()}; }));
  }
  template <class Real>
  ssize_t call_sized(Call which, bool takes_space, std::size_t size, Real real) {
    const bool struck = is_struck(which);
    if (struck && fault_ == Fault::kExit) ::_exit(kExited);
    if (const int error = error_of(struck, takes_space); error != 0) return refuse(error);
    const bool exits = struck && fault_ == Fault::kExitAfter;
    const ssize_t done = real(exits && size > 1 ? size / 2 : struck && fault_ == Fault::kShort ? 1 : size);
    if (exits) ::_exit(kExited);
    return done;
  }

  const Fault fault_;
  const std::size_t strike_;
  const FileSystem file_system_;
  std::atomic<std::size_t> calls_ = 0;
  std::atomic<Call> struck_ = Call::kOpen;
};

// Counts what is read.
class CountingSystem : public io::System {
 public:
  ssize_t pread(int file, void* to, std::size_t size, off_t offset) override {
    bytes += size;
    return System::pread(file, to, size, offset);
  }
  std::atomic<std::uint64_t> bytes = 0;
};

// Runs `work` in a process of its own and waits for it after `meanwhile`. Returns its status.
inline int in_child(const std::function<void()>& work, const std::function<void(pid_t)>& meanwhile = {}) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  if (child < 0) {
    ADD_FAILURE() << "can't fork";
    return -1;
  }
  if (meanwhile) meanwhile(child);
  int status = -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// Runs `work` in a process of its own that ends at call `strike`; true when there was such a call.
inline bool ends_at(Fault fault, std::size_t strike, FileSystem file_system, const std::function<void()>& work) {
  const int status = in_child([&] {
    FaultySystem system(fault, strike, file_system);
    const io::ReplacedSystem replaced(system);
    work();
  });
  EXPECT_TRUE(WIFEXITED(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == kExited;
}

// What stands in a folder under a temporary name.
inline std::vector<std::string> temporary_names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (const auto name = entry.path().filename().string(); name.starts_with(".dicube-")) names.push_back(name);
  return names;
}

constexpr std::size_t kMostCalls = 1000;

// Strikes at call 0, 1, 2, ... until there is no such call, on every kind of file system, onto nothing and onto a file.
template <class Try>
void for_every_call(Try try_call) {
  for (const FileSystem file_system : {FileSystem{true, true}, FileSystem{false, true}, FileSystem{false, false}})
    for (const bool replacing : {false, true}) {
      std::size_t strike = 0;
      for (bool struck = true; struck && strike < kMostCalls && !::testing::Test::HasFailure(); ++strike) {
        SCOPED_TRACE(formatted("call {}, nameless {}, links {}, replacing {}", strike, file_system.nameless,
                               file_system.links, replacing));
        struck = try_call(strike, file_system, replacing);
      }
      if (::testing::Test::HasFailure()) return;
      EXPECT_LT(strike, kMostCalls);
      EXPECT_GT(strike, 20U) << "the calls do not come through the replaced system";
    }
}

}  // namespace dicube::testing
