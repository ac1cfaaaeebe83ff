// Files that change under the reader, paths longer than the system takes, and writing where a file can't be nameless.
#include "io/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "io/system.h"

namespace dicube::io {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = ::testing::TempDir() + "dicube-io-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  void TearDown() override { std::system(("rm -rf '" + folder_ + "'").c_str()); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name, std::ios::trunc) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

ErrorClass error_class(const Status& status) { return status ? ErrorClass::kUsage : status.error().error_class; }

TEST(Paths, AreSplitIntoAFolderAndANameThatMakeThemAgain) {
  for (const std::string path : {"a.dcbs", "in/a.dcbs", "/a.dcbs", "/in/deep/a.dcbs"}) {
    const auto [folder, name] = split_path(path);
    EXPECT_EQ(name, "a.dcbs");
    EXPECT_EQ(path_in(folder, name), path);
  }
  EXPECT_EQ(split_path("a.dcbs").folder, ".");
}

TEST_F(Files, WrittenAnewAtTheSameSizeWithTheOldTimeHaveChanged) {
  const std::string path = write("a", "one");
  const auto file = InputFile::open(path).value();
  struct stat before;
  ASSERT_EQ(::stat(path.c_str(), &before), 0);
  ::usleep(20'000);
  write("a", "two");
  const timespec times[] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(error_class(file->check_unchanged()), ErrorClass::kChanged);
}

TEST_F(Files, ReplacedWhileTheyAreReadHaveChanged) {
  const std::string path = write("a", "one");
  const auto file = InputFile::open(path).value();
  EXPECT_TRUE(file->check_unchanged());
  fs::rename(write("b", "two"), path);
  const auto unchanged = file->check_unchanged();
  ASSERT_EQ(error_class(unchanged), ErrorClass::kChanged);
  Bytes bytes;
  EXPECT_EQ(error_class(read_file(path, bytes, &file->state())), ErrorClass::kChanged);
  EXPECT_TRUE(read_file(path, bytes));
}

TEST_F(Files, ReadInPiecesAreWholeOrHaveChanged) {
  std::string text(3 * kPieceBytes / 2, 'x');
  text += "end";
  const std::string path = write("a", text);
  std::string got;
  ASSERT_TRUE(read_file(path, [&](ByteSpan piece) {
    got += as_text(piece);
    return Status();
  }));
  EXPECT_EQ(got, text);
  const auto cut = read_file(path, [&](ByteSpan) {
    fs::resize_file(path, kPieceBytes / 2);
    return Status();
  });
  EXPECT_EQ(error_class(cut), ErrorClass::kChanged);
  const auto full = read_file(path, [&](ByteSpan) { return Status(fail(ErrorClass::kLimit, "no more")); });
  EXPECT_EQ(error_class(full), ErrorClass::kLimit);
}

TEST_F(Files, DeeperThanTheLongestPathAreListedAndRead) {
  const std::string name(200, 'd');
  std::string path = folder_;
  int at = ::open(path.c_str(), O_PATH | O_DIRECTORY);
  for (int i = 0; i < 50; ++i) {  // 10,000 bytes of path
    ASSERT_EQ(::mkdirat(at, name.c_str(), 0777), 0);
    const int next = ::openat(at, name.c_str(), O_PATH | O_DIRECTORY);
    ::close(at);
    at = next;
    path += "/" + name;
  }
  const int file = ::openat(at, "leaf", O_CREAT | O_WRONLY, 0666);
  ASSERT_EQ(::write(file, "text", 4), 4);
  ::close(file);
  ::close(at);
  const auto entries = list_folder(path);
  ASSERT_TRUE(entries) << describe(entries.error());
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ((*entries)[0].name, "leaf");
  EXPECT_EQ((*entries)[0].kind, Entry::Kind::kFile);
  EXPECT_EQ((*entries)[0].size, 4U);
  Bytes bytes;
  const auto read = read_file(path + "/leaf", bytes);
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(as_text(bytes), "text");
  const std::string below = path.substr(folder_.size());
  for (std::size_t slashes = 2; slashes < name.size() + 4; ++slashes) {  // a double one at the longest path's end, once
    std::string doubled = folder_ + std::string(slashes, '/');
    for (const char c : below) doubled += c == '/' ? "//" : std::string(1, c);
    ASSERT_TRUE(list_folder(doubled)) << "with " << slashes << " slashes";
  }
}

// The file that was opened last.
class Opened : public System {
 public:
  int openat(int folder, const char* name, int flags, mode_t mode) override {
    return file_ = System::openat(folder, name, flags, mode);
  }
  blkcnt_t blocks() const {
    struct stat status;
    return ::fstat(file_, &status) == 0 ? status.st_blocks : -1;
  }

 private:
  int file_ = -1;
};

TEST_F(Files, BeingWrittenGiveSpaceBackThatIsNotReadAnyMore) {
  constexpr std::uint64_t kBytes = std::uint64_t{1} << 20;
  const std::vector<std::byte> bytes(kBytes, std::byte{7});
  const auto folder = Folder::open(folder_).value();
  Opened system;
  const ReplacedSystem replaced(system);
  auto file = NewFile::create(folder, "new").value();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(file.append(bytes));
  const blkcnt_t before = system.blocks();
  file.give_back(kBytes / 2, kBytes);
  if (system.blocks() == before) GTEST_SKIP() << "the file system of " << folder_ << " takes no space back";
  EXPECT_LE(system.blocks(), before - static_cast<blkcnt_t>(kBytes / 512));
  EXPECT_EQ(file.size(), 3 * kBytes);
  std::vector<std::byte> got(kBytes / 2);
  for (const std::uint64_t kept : {std::uint64_t{0}, 3 * kBytes / 2, 5 * kBytes / 2}) {
    ASSERT_TRUE(file.read_at(kept, got));
    EXPECT_EQ(got, std::vector(got.size(), std::byte{7})) << kept;
  }
}

// /proc not mounted; and, as well, no files without names.
class Bare : public System {
 public:
  explicit Bare(bool nameless) : nameless_(nameless) {}
  bool names_open_files() override { return false; }
  int openat(int folder, const char* name, int flags, mode_t mode) override {
    if (nameless_ || (flags & O_TMPFILE) != O_TMPFILE) return System::openat(folder, name, flags, mode);
    errno = EOPNOTSUPP;
    return -1;
  }
  int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) override {
    if (!std::string_view(from).starts_with("/proc/")) return System::linkat(from_folder, from, to_folder, to, flags);
    errno = ENOENT;
    return -1;
  }

 private:
  bool nameless_;
};

TEST_F(Files, AreWrittenWholeOrNotAtAllWithoutProcAndWithoutNamelessFiles) {
  for (const bool nameless : {true, false}) {
    Bare system(nameless);
    const ReplacedSystem replaced(system);
    const auto folder = Folder::open(folder_).value();
    const std::string text = "whole";
    for (const bool overwrite : {false, true}) {
      auto file = NewFile::create(folder, "new");
      ASSERT_TRUE(file) << describe(file.error());
      ASSERT_TRUE(file->append(as_bytes(text)));
      const auto done = file->commit(overwrite);
      ASSERT_TRUE(done) << describe(done.error());
    }
    {
      auto file = NewFile::create(folder, "new").value();
      EXPECT_EQ(error_class(file.commit(false)), ErrorClass::kConflict);
    }
    Bytes bytes;
    ASSERT_TRUE(read_file(folder_ + "/new", bytes));
    EXPECT_EQ(as_text(bytes), text);
    EXPECT_EQ(list_folder(folder_).value().size(), 1U) << "a temporary name was left";
    fs::remove(folder_ + "/new");
  }
}

// No second names of files, no files without names, and no rename() that never replaces.
class OnlyRenames : public Bare {
 public:
  explicit OnlyRenames(int error) : Bare(false), error_(error) {}
  int linkat(int, const char*, int, const char*, int) override {
    errno = EPERM;
    return -1;
  }
  int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) override {
    if (flags == 0) return Bare::renameat2(from_folder, from, to_folder, to, flags);
    errno = error_;
    return -1;
  }

 private:
  const int error_;
};

TEST_F(Files, AreWrittenWithoutReplacingOthersWhereFoldersCanOnlyRename) {
  for (const int error : {EINVAL, ENOSYS}) {
    OnlyRenames system(error);
    const ReplacedSystem replaced(system);
    const auto folder = Folder::open(folder_).value();
    const auto named = NewFile::create(folder, "new").value().commit(false);
    EXPECT_TRUE(named) << describe(named.error());
    EXPECT_EQ(error_class(NewFile::create(folder, "new").value().commit(false)), ErrorClass::kConflict);
    EXPECT_EQ(list_folder(folder_).value().size(), 1U) << "a temporary name was left";
    fs::remove(folder_ + "/new");
  }
}

// Not one of those that put a folder's name on disk with what is in it. Notes what is synced.
class UnorderedSystem : public System {
 public:
  int fstatfs(int, struct statfs* status) override {
    status->f_type = FUSE_SUPER_MAGIC;
    return 0;
  }
  int fsync(int file) override {
    struct stat status;
    if (::fstat(file, &status) == 0) synced.insert(status.st_ino);
    return 0;
  }
  std::set<ino_t> synced;
};

TEST_F(Files, StandInFoldersWhoseNamesAreSynced) {
  UnorderedSystem system;
  const ReplacedSystem replaced(system);
  const auto inner = Folder::make(folder_ + "/a/b/c/");
  ASSERT_TRUE(inner) << describe(inner.error());
  for (const char* above : {"", "/a", "/a/b"}) {
    struct stat status;
    ASSERT_EQ(::stat((folder_ + above).c_str(), &status), 0);
    EXPECT_TRUE(system.synced.contains(status.st_ino)) << "a folder was made in it: " << folder_ << above;
  }
}

TEST_F(Files, HaveTheirMissingFoldersMadeWithTheirNames) {
  Bare without_links_from_proc(false);
  for (const bool bare : {false, true}) {
    std::optional<ReplacedSystem> replaced;
    if (bare) replaced.emplace(without_links_from_proc);
    const auto folder = Folder::plan(folder_ + "/a//b/").value();
    const auto inner = folder.enter("c").value();
    EXPECT_EQ(inner.path(), folder_ + "/a//b/c");
    for (const bool overwrite : {false, true}) {
      auto file = NewFile::create(inner, "new").value();
      EXPECT_EQ(fs::exists(folder_ + "/a"), overwrite);
      EXPECT_EQ(inner.has("new"), overwrite);
      const auto done = file.commit(overwrite);
      EXPECT_TRUE(done) << describe(done.error());
    }
    auto other = NewFile::create(inner, "new").value();
    EXPECT_EQ(error_class(other.commit(false)), ErrorClass::kConflict);
    EXPECT_EQ(fs::file_size(folder_ + "/a/b/c/new"), 0U);
    fs::remove_all(folder_ + "/a");
  }
}

TEST_F(Files, ThatAreGivenUpLeaveNoFolderBehind) {
  for (const char* name : {"/a", "/a/b/c"}) {
    const auto folder = Folder::plan(folder_ + name).value();
    auto file = NewFile::create(folder, "new").value();
    ASSERT_TRUE(file.append(std::as_bytes(std::span("text"))));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Files, GoThroughNoLinkThatStandsWhereTheirFolderWasToBe) {
  const auto folder = Folder::plan(folder_ + "/a").value();
  auto file = NewFile::create(folder, "new").value();
  fs::create_directory(folder_ + "/elsewhere");
  fs::create_directory_symlink(folder_ + "/elsewhere", folder_ + "/a");
  EXPECT_EQ(error_class(file.commit(false)), ErrorClass::kConflict);
  EXPECT_TRUE(fs::is_empty(folder_ + "/elsewhere"));
}

TEST_F(Files, InFoldersBesideMissingOnesLeaveThoseMissing) {
  for (const auto& [path, name] :
       {std::pair("/a/../b", "/b"), std::pair("/a/c/../../d/", "/d"), std::pair("/a/./../e/f", "/e/f")}) {
    const auto folder = Folder::plan(folder_ + path).value();
    EXPECT_EQ(folder.path(), folder_ + name);
    ASSERT_TRUE(folder.made());
    EXPECT_TRUE(fs::is_directory(folder_ + name));
    EXPECT_FALSE(fs::exists(folder_ + "/a"));
  }
  EXPECT_FALSE(Folder::plan(folder_ + "/a/..").value().is_plan());
}

// A file system of the type `type`, on which every file that is opened has got another inode.
class NewInodes : public System {
 public:
  explicit NewInodes(std::uint32_t type) : type_(type) {}
  int openat(int folder, const char* name, int flags, mode_t mode) override {
    ++opened_;
    return System::openat(folder, name, flags, mode);
  }
  int fstat(int file, struct stat* status) override { return renumbered(System::fstat(file, status), status); }
  int fstatat(int folder, const char* name, struct stat* status, int flags) override {
    return renumbered(System::fstatat(folder, name, status, flags), status);
  }
  int fstatfs(int file, struct statfs* status) override {
    const int done = System::fstatfs(file, status);
    status->f_type = static_cast<decltype(status->f_type)>(type_);
    return done;
  }

 private:
  int renumbered(int done, struct stat* status) const {
    status->st_ino += opened_;
    status->st_ctim.tv_sec += static_cast<time_t>(opened_);
    return done;
  }
  const std::uint32_t type_;
  std::uint64_t opened_ = 0;
};

TEST_F(Files, HaveNoInodesOnFileSystemsThatMakeThemAnew) {
  write("file", "12345");
  for (const auto& [type, keeps] :
       {std::pair(0x4D44U, false), std::pair(0x2011BAB0U, false), std::pair(0x65735546U, false),
        std::pair(0xFE534D42U, false), std::pair(0xEF53U, true)}) {
    NewInodes system(type);
    const ReplacedSystem replaced(system);
    const FileState seen = InputFile::open(folder_ + "/file").value()->state();
    Bytes bytes;
    EXPECT_EQ(read_file(folder_ + "/file", bytes, &seen).has_value(), !keeps) << type;
  }
}

TEST_F(Files, ThatChangedAreKnownByTheirSizeWithoutInodes) {
  write("file", "12345");
  NewInodes system(0x65735546);
  const ReplacedSystem replaced(system);
  const FileState seen = InputFile::open(folder_ + "/file").value()->state();
  write("file", "1234567");
  Bytes bytes;
  EXPECT_EQ(error_class(read_file(folder_ + "/file", bytes, &seen)), ErrorClass::kChanged);
}

// As shared folders of virtual machines are.
class NoSyncOfFolders : public System {
 public:
  int fsync(int file) override {
    struct stat status;
    if (::fstat(file, &status) == 0 && !S_ISDIR(status.st_mode)) return System::fsync(file);
    errno = EINVAL;
    return -1;
  }
};

TEST_F(Files, AreWrittenWhereFoldersCantBeSynced) {
  NoSyncOfFolders system;
  const ReplacedSystem replaced(system);
  const auto folder = Folder::open(folder_).value();
  auto file = NewFile::create(folder, "new").value();
  const auto done = file.commit(false);
  EXPECT_TRUE(done) << describe(done.error());
  EXPECT_TRUE(fs::exists(folder_ + "/new"));
}

TEST_F(Files, WhoseNameIsTakenGetANumberBehindItAndInFrontOfAnEnding) {
  Bare without_links_from_proc(false);
  for (const bool bare : {false, true}) {
    std::optional<ReplacedSystem> replaced;
    if (bare) replaced.emplace(without_links_from_proc);
    const auto folder = Folder::open(folder_).value();
    const auto named = [&](const std::string& name) {
      auto file = NewFile::create(folder, name).value();
      const auto done = file.commit_renamed();
      EXPECT_TRUE(done) << describe(done.error());
      EXPECT_EQ(file.path(), path_in(folder_, file.name()));
      return file.name();
    };
    for (const char* name : {"a.dcbs", "a-2.dcbs", "a-3.dcbs"}) EXPECT_EQ(named("a.dcbs"), name);
    for (const char* name : {"1.2.840.113", "1.2.840.113-2"}) EXPECT_EQ(named("1.2.840.113"), name);
    for (const char* name : {"IM1", "IM1-2"}) EXPECT_EQ(named("IM1"), name);
    for (const char* name : {".rc", ".rc-2"}) EXPECT_EQ(named(".rc"), name);
    const std::vector<Entry> made = list_folder(folder_).value();
    EXPECT_EQ(made.size(), 9U) << "a temporary name was left";
    for (const Entry& entry : made) fs::remove(folder_ + "/" + entry.name);
  }
}

}  // namespace
}  // namespace dicube::io
