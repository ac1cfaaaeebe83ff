// The operating system's file calls, in one place so that tests can make each of them fail.
#pragma once

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

#include <cstddef>

namespace dicube::io {

// Every call behaves as the POSIX (or Linux) function of the same name: negative with errno set on failure.
class System {
 public:
  virtual ~System() = default;
  virtual int openat(int folder, const char* name, int flags, mode_t mode);
  virtual ssize_t pread(int file, void* to, std::size_t size, off_t offset);
  virtual ssize_t pwrite(int file, const void* from, std::size_t size, off_t offset);
  virtual int fstat(int file, struct stat* status);
  virtual int fstatat(int folder, const char* name, struct stat* status, int flags);
  virtual int fstatfs(int file, struct statfs* status);
  virtual int fsync(int file);
  virtual int syncfs(int file);
  virtual int sync_file_range(int file, off_t offset, off_t size, unsigned flags);
  virtual int fallocate(int file, int mode, off_t offset, off_t size);
  virtual int mkdirat(int folder, const char* name, mode_t mode);
  virtual int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags);
  virtual int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags);
  virtual int unlinkat(int folder, const char* name, int flags);
  virtual int close(int file);

  // Whether /proc gives open files a name: without it, a file that has none can't get one.
  virtual bool names_open_files();

  // The one in use: the real one, unless a test has put another in its place.
  static System& current();
};

// While it lives, `system` serves every call of the process. For tests; not for two threads at once.
class ReplacedSystem {
 public:
  explicit ReplacedSystem(System& system);
  ~ReplacedSystem();
  ReplacedSystem(const ReplacedSystem&) = delete;
  ReplacedSystem& operator=(const ReplacedSystem&) = delete;

 private:
  System* before_;
};

}  // namespace dicube::io
