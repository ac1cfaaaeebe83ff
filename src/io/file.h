// Files: reading at an offset, writing without ever showing a half-written file, and folders that can't be escaped
// from.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/pieces.h"

namespace dicube::io {

// Bytes that can be read at any offset, from several threads at once.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::uint64_t size() const = 0;
  virtual const std::string& name() const = 0;
  // Fills `out`; kDamaged when the source ends before, kIo when the system refuses.
  virtual Status read_at(std::uint64_t offset, MutableByteSpan out) const = 0;
};

class MemorySource : public Source {
 public:
  // `bytes` must outlive the source.
  MemorySource(ByteSpan bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  const std::string& name() const override { return name_; }
  Status read_at(std::uint64_t offset, MutableByteSpan out) const override;

 private:
  ByteSpan bytes_;
  std::string name_;
};

// A file descriptor, closed with its owner.
class Handle {
 public:
  Handle() = default;
  explicit Handle(int file) : file_(file) {}
  Handle(Handle&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~Handle();
  int get() const { return file_; }
  bool is_open() const { return file_ >= 0; }
  int release() { return std::exchange(file_, -1); }

 private:
  int file_ = -1;
};

// What tells a file from another one, and from itself after a change. The inode and changed_ns are 0 where the file
// system makes them anew: FAT, FUSE, shares of a network and the like.
struct FileState {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t written_ns = 0, changed_ns = 0;  // contents; contents, names or rights
  friend bool operator==(const FileState&, const FileState&) = default;
};

// A regular file open for reading. Its path may be longer than the system takes in one call.
class InputFile : public Source {
 public:
  static Result<std::unique_ptr<InputFile>> open(const std::string& path);
  std::uint64_t size() const override { return state_.size; }
  const std::string& name() const override { return path_; }
  Status read_at(std::uint64_t offset, MutableByteSpan out) const override;
  const FileState& state() const { return state_; }
  // kChanged when the file differs from what it was at opening, or another one has its path.
  Status check_unchanged() const;

 private:
  InputFile() = default;
  Handle handle_;
  std::string path_;
  bool keeps_inodes_ = true;  // its file system
  FileState state_;
};

// The whole file, which did not change meanwhile, nor since it was `seen` (kChanged), into `bytes`, whose memory is
// used again.
Status read_file(const std::string& path, Bytes& bytes, const FileState* seen = nullptr);
// The same in pieces: that it did not change is known at the end.
Status read_file(const std::string& path, const Sink& sink, const FileState* seen = nullptr);

// What stands in a folder.
struct Entry {
  enum class Kind : std::uint8_t { kFile, kFolder, kLinkToFolder, kOther, kUnknown };
  std::string name;
  Kind kind = Kind::kUnknown;  // of links: of what they lead to
  std::uint64_t size = 0;      // of a file
  int error = 0;               // errno, where it can't be told what it is
};
// Without "." and "..", in the system's order. The path may be longer than the system takes in one call.
Result<std::vector<Entry>> list_folder(const std::string& path);

// The path of a file in a folder, as a person would write it: without "./" in front and "//" inside.
std::string path_in(const std::string& folder, const std::string& name);

// What path_in() puts together: a path's folder, "." where it names none, and the name in it.
struct FolderAndName {
  std::string folder, name;
};
FolderAndName split_path(const std::string& path);

// A folder held open, so that what is made inside it stays inside it whatever happens to its path. One that is not
// there yet is a plan: it and the missing ones above it are made when a file in it gets its name, so that no empty one
// is left where none does; until then, the innermost folder that is there is held open, and takes nameless files.
class Folder {
 public:
  static Result<Folder> open(const std::string& path);
  // One that is there or can be made.
  static Result<Folder> plan(const std::string& path);
  // Makes the folder and the missing ones above it.
  static Result<Folder> make(const std::string& path);
  // The folder `name` inside this one, a plan when missing. Symbolic links are not followed (kConflict).
  // REQUIRES: `name` is one component, not "." or "..".
  Result<Folder> enter(const std::string& name) const;
  // The same folder, and no plan: what is missing is made.
  Result<Folder> made() const;
  bool is_plan() const { return !missing_.empty(); }
  bool has(const std::string& name) const;
  // kIo where nothing new can stand in it.
  Status check_writable() const;
  // How many bytes of files it can take at most; nothing where that is not known, as on a file system that may compress
  // them.
  std::optional<std::uint64_t> free_bytes() const;
  // Whether a file of this relative name would take space of it: not below another mount, nor behind what is no folder.
  bool is_on_same_disk(const std::string& name) const;
  const std::string& path() const { return path_; }
  // Of a plan: of the innermost folder that is there.
  int descriptor() const { return handle_.get(); }
  Status sync() const;

 private:
  Status go_down(int at);
  Result<Folder> make_in(const std::string& name) const;
  Handle handle_;
  std::string path_;
  // Of a plan: the folder that is held open, and what is missing below it.
  std::string there_;
  std::vector<std::string> missing_;
};

// The innermost of folders that lie in each other, as enter() has each, with one handle however deep; nothing for none.
Result<std::optional<Folder>> enter_all(const Folder& root, std::span<const std::string> names);

// A file being written. It has no name in its folder (or, where the file system can't do that, a name that starts with
// '.') until commit(); without commit, nothing stays.
class NewFile {
 public:
  // `name` is the one it will get: one component. The folder must outlive it.
  static Result<NewFile> create(const Folder& folder, std::string name);
  NewFile(NewFile&&) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  Status append(ByteSpan bytes);
  // The next `bytes` bytes are written later, with write_at().
  void leave_gap(std::uint64_t bytes) { size_ += bytes; }
  // REQUIRES: inside what was appended or left.
  Status write_at(std::uint64_t offset, ByteSpan bytes);
  Status read_at(std::uint64_t offset, MutableByteSpan out) const;
  // Gives their space back to a file system that can take it; a hint. They are zeros from then on, or what they were.
  void give_back(std::uint64_t offset, std::uint64_t bytes) const;
  // Makes the folder where it is a plan still, as commit() does otherwise.
  Status make_folder();
  // Asks the system to begin what commit() will wait for; a hint.
  void start_writeback() const;
  std::uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }
  // Syncs the file, gives it its name in one step, syncs the folder. kConflict when the name exists and
  // `overwrite` is off; nothing is changed then. A file that a CommonSync has synced gets its name only.
  Status commit(bool overwrite);
  // As commit(false), but when the name exists with a number behind it, the first that is free: "scan-2.dcbs".
  Status commit_renamed();

 private:
  friend class CommonSync;
  NewFile() = default;
  void wait_for_writeback();
  int link_as(const Folder& folder, const std::string& name) const;
  int rename(const Folder& folder, unsigned flags);
  Status place_new(const Folder& folder);
  Status replace(const Folder& folder);
  Status place(const Folder& folder, bool overwrite, bool may_rename);
  Status finish(bool overwrite, bool may_rename);
  const Folder* folder_ = nullptr;
  Handle handle_;
  std::string name_, path_, temporary_;  // temporary_: the name it has now; empty for none
  std::uint64_t size_ = 0;
  std::optional<Status> synced_;  // what the system said of all bytes, where a CommonSync has asked
  std::unique_ptr<Folder> made_;  // in place of the plan
};

// Many files with one wait for the disk, which can take longer than all else: commit() waits twice for each file.
// Not for two threads at once.
class CommonSync {
 public:
  // Syncs the files, whose commit() then gives them names and no more, or says why they could not be written. Those of
  // systems that have no such call are left to commit(), and so are a few: a file system may have more to write.
  void sync(std::span<NewFile* const> files);
  // A folder that was made, in which no file gets a name: its own name is for sync_names() to sync.
  void add(const Folder& folder) { has_names_ |= meet(folder); }
  // Syncs the names that they got since.
  Status sync_names() const;

 private:
  static constexpr std::size_t kWorthIt = 4;  // files
  bool meet(const Folder& folder);
  Status sync_file_systems() const;
  struct FileSystem {
    std::uint64_t device;
    Handle folder;
    std::string path;
  };
  std::vector<FileSystem> met_;
  bool has_names_ = false;
};

// What was written so far, as a source for the ordinary reader. The file must outlive it.
class WrittenSource : public Source {
 public:
  explicit WrittenSource(const NewFile& file) : file_(file) {}
  std::uint64_t size() const override { return file_.size(); }
  const std::string& name() const override { return file_.path(); }
  Status read_at(std::uint64_t offset, MutableByteSpan out) const override { return file_.read_at(offset, out); }

 private:
  const NewFile& file_;
};

// A file that never gets a name, as a source: it goes when the source does. `name` stands in errors.
class NamelessSource : public Source {
 public:
  // `folder`: the one that the file was made in.
  NamelessSource(std::unique_ptr<Folder> folder, NewFile file, std::string name)
      : folder_(std::move(folder)), file_(std::move(file)), name_(std::move(name)) {}
  std::uint64_t size() const override { return file_.size(); }
  const std::string& name() const override { return name_; }
  Status read_at(std::uint64_t offset, MutableByteSpan out) const override { return file_.read_at(offset, out); }

 private:
  std::unique_ptr<Folder> folder_;
  NewFile file_;
  std::string name_;
};

}  // namespace dicube::io
