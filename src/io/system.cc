#include "io/system.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <atomic>

namespace dicube::io {
namespace {

System real;
std::atomic<System*> in_use = &real;

}  // namespace

int System::openat(int folder, const char* name, int flags, mode_t mode) { return ::openat(folder, name, flags, mode); }
ssize_t System::pread(int file, void* to, std::size_t size, off_t offset) { return ::pread(file, to, size, offset); }
ssize_t System::pwrite(int file, const void* from, std::size_t size, off_t offset) {
  return ::pwrite(file, from, size, offset);
}
int System::fstat(int file, struct stat* status) { return ::fstat(file, status); }
int System::fstatat(int folder, const char* name, struct stat* status, int flags) {
  return ::fstatat(folder, name, status, flags);
}
bool System::names_open_files() { return ::access("/proc/self/fd", X_OK) == 0; }
int System::fstatfs(int file, struct statfs* status) { return ::fstatfs(file, status); }
int System::fsync(int file) { return ::fsync(file); }
int System::syncfs(int file) { return ::syncfs(file); }
int System::sync_file_range(int file, off_t offset, off_t size, unsigned flags) {
  return ::sync_file_range(file, offset, size, flags);
}
int System::fallocate(int file, int mode, off_t offset, off_t size) { return ::fallocate(file, mode, offset, size); }
int System::mkdirat(int folder, const char* name, mode_t mode) { return ::mkdirat(folder, name, mode); }
int System::linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  return ::linkat(from_folder, from, to_folder, to, flags);
}
int System::renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return ::renameat2(from_folder, from, to_folder, to, flags);
}
int System::unlinkat(int folder, const char* name, int flags) { return ::unlinkat(folder, name, flags); }
int System::close(int file) { return ::close(file); }

System& System::current() { return *in_use; }

ReplacedSystem::ReplacedSystem(System& system) : before_(in_use.exchange(&system)) {}
ReplacedSystem::~ReplacedSystem() { in_use = before_; }

}  // namespace dicube::io
