// Unpacking while the system fails, and while the process ends, at every call in turn (R12, R14).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/resource.h>

#include <filesystem>
#include <thread>

#include "dicube/dicube.h"
#include "series/faulty_system.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using testing::Call;
using testing::ends_at;
using testing::Fault;
using testing::FaultySystem;
using testing::FileSystem;
using testing::for_every_call;
using testing::ScratchFolder;

std::map<std::string, Bytes> files_below(const std::string& folder) {
  auto files = testing::tree(folder);
  std::erase_if(files, [&](const auto& entry) { return std::filesystem::is_directory(folder + "/" + entry.first); });
  return files;
}

// A small archive whose files come from a folder, and older files that may stand in their place.
class UnpackFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_series(source() + "/a", 4);  // enough to be synced at once
    ASSERT_FALSE(testing::pack_bytes({source()}, archive()).empty());
    files_ = files_below(source());
    ASSERT_EQ(files_.size(), 4U);
  }

  std::string source() const { return scratch_ / "source"; }
  std::string archive() const { return scratch_ / "one.dcbs"; }
  std::string target() const { return scratch_ / "target"; }

  void prepare(bool replacing) const {
    std::filesystem::remove_all(target());
    for (const std::string& name : beside()) std::filesystem::remove(scratch_ / name);
    if (!replacing) return;
    for (const auto& [name, bytes] : files_) testing::write_file(target() + "/" + name, kOlder);
  }

  // Temporary names where the target was to be.
  std::vector<std::string> beside() const { return testing::temporary_names_in(scratch_.path()); }

  Result<UnpackReport> unpack_it(bool replacing) const {
    UnpackOptions options;
    options.threads = 1;
    options.on_conflict = replacing ? OnConflict::kOverwrite : OnConflict::kError;
    return unpack(archive(), target(), options);
  }

  // The number of original files in the target; all else there is older or, `may_stay`, has a temporary name.
  std::size_t expect_old_or_whole(bool replacing, bool may_stay) const {
    std::size_t whole = 0;
    if (!std::filesystem::exists(target())) return whole;
    for (const auto& [name, bytes] : files_below(target())) {
      const bool is_temporary = std::filesystem::path(name).filename().string().starts_with(".dicube-");
      EXPECT_TRUE(may_stay || !is_temporary) << name << " was left behind";
      if (is_temporary) continue;
      const auto original = files_.find(name);
      if (original == files_.end()) {
        ADD_FAILURE() << name;
        continue;
      }
      const bool is_whole = bytes == original->second;
      EXPECT_TRUE(is_whole || (replacing && same_bytes(bytes, kOlder))) << name << " has " << bytes.size() << " bytes";
      whole += is_whole;
    }
    return whole;
  }

  bool unpack_with_fault(Fault fault, std::size_t strike, FileSystem file_system, bool replacing) {
    prepare(replacing);
    FaultySystem system(fault, strike, file_system);
    const auto report = [&] {
      const io::ReplacedSystem replaced(system);
      return unpack_it(replacing);
    }();
    const bool can_stay = system.has_struck() && system.struck() == Call::kUnlink;
    const std::size_t whole = expect_old_or_whole(replacing, can_stay);
    const bool is_full = fault == Fault::kDiskFull;  // then the first file's folder may be there, and no name for it
    EXPECT_TRUE(whole > 0 || replacing || is_full || !testing::is_of_bytes(system.struck()) ||
                !std::filesystem::exists(target()))
        << "empty folders stayed";
    EXPECT_TRUE(can_stay || beside().empty());
    const std::vector<Error> errors = report ? report->errors : std::vector{report.error()};
    for (const Error& error : errors) EXPECT_EQ(error.error_class, ErrorClass::kIo) << describe(error);
    EXPECT_GE(whole, report ? report->files : 0) << "a file is said to be there that is not";
    EXPECT_TRUE(!errors.empty() || whole == files_.size()) << "a file is missing, and nothing was said";
    EXPECT_TRUE(errors.empty() || system.has_struck()) << "failed by itself";
    ++(!errors.empty() ? failures_ : successes_);
    return system.has_struck();
  }

  bool unpack_and_exit(Fault fault, std::size_t strike, FileSystem file_system, bool replacing) {
    prepare(replacing);
    const bool struck = ends_at(fault, strike, file_system, [&] { static_cast<void>(unpack_it(replacing)); });
    const std::size_t whole = expect_old_or_whole(replacing, true);
    EXPECT_TRUE(struck || whole == files_.size()) << "not restored though nothing failed";
    return struck;
  }

  const Bytes kOlder{std::byte{'o'}, std::byte{'l'}, std::byte{'d'}};
  ScratchFolder scratch_;
  std::map<std::string, Bytes> files_;
  std::size_t failures_ = 0, successes_ = 0;
};

TEST_F(UnpackFaults, AnIoErrorAtAnyCallIsReportedAndNoPartOfAFileStays) {
  for_every_call([&](auto... at) { return unpack_with_fault(Fault::kIoError, at...); });
  EXPECT_GT(failures_, 20U);
}

TEST_F(UnpackFaults, ADiskThatIsFullFromAnyCallOnIsReportedAndNoPartOfAFileStays) {
  for_every_call([&](auto... at) { return unpack_with_fault(Fault::kDiskFull, at...); });
  EXPECT_GT(failures_, 20U);
}

TEST_F(UnpackFaults, AnInterruptedCallIsRepeated) {
  for_every_call([&](auto... at) { return unpack_with_fault(Fault::kInterrupt, at...); });
  EXPECT_EQ(failures_, 0U);
}

TEST_F(UnpackFaults, AShortReadOrWriteIsContinued) {
  for_every_call([&](auto... at) { return unpack_with_fault(Fault::kShort, at...); });
  EXPECT_EQ(failures_, 0U);
}

TEST_F(UnpackFaults, AProcessThatEndsBeforeAnyCallLeavesWholeFilesOrOldOnes) {
  for_every_call([&](auto... at) { return unpack_and_exit(Fault::kExit, at...); });
}

TEST_F(UnpackFaults, AProcessThatEndsBehindAnyCallLeavesWholeFilesOrOldOnes) {
  for_every_call([&](auto... at) { return unpack_and_exit(Fault::kExitAfter, at...); });
}

// So many files in some folders, which are packed whole.
void pack_files(const ScratchFolder& folder, int count) {
  for (int i = 0; i < count; ++i)
    testing::write_file(folder / formatted("in/{}/{}", i % 7, i), as_bytes(formatted("file {}", i)));
  PackOptions packing;
  packing.all = true;
  ASSERT_TRUE(pack({folder / "in"}, folder / "packed", packing));
}

// Counts what a real one would wait for.
class SyncsCounted : public testing::WithoutSync {
 public:
  int fsync(int) override {
    ++files;
    return 0;
  }
  int syncfs(int) override {
    ++file_systems;
    if (!has_syncfs) errno = ENOSYS;
    return has_syncfs ? 0 : -1;
  }
  int fstatfs(int, struct statfs* status) override {
    status->f_type = type;
    return 0;
  }
  bool has_syncfs = true;
  decltype(statfs::f_type) type = EXT4_SUPER_MAGIC;
  std::atomic<unsigned> files = 0, file_systems = 0;
};

TEST(Unpacking, OfManyFilesWaitsForTheDiskAFewTimes) {
  const ScratchFolder folder;
  pack_files(folder, 300);
  const auto unpacked = [&](SyncsCounted& system, const std::string& name) {
    const io::ReplacedSystem replaced(system);
    const auto report = unpack(folder / "packed/other.dcbs", folder / name);
    ASSERT_TRUE(report && report->errors.empty());
    EXPECT_EQ(report->files, 300U);
    EXPECT_TRUE(testing::tree(folder / "in") == testing::tree(folder / name));
  };
  SyncsCounted ext4, without, fuse;
  without.has_syncfs = false;
  fuse.type = FUSE_SUPER_MAGIC;
  unpacked(ext4, "ext4");
  EXPECT_EQ(ext4.files, 0U);
  EXPECT_LE(ext4.file_systems, 8U);
  unpacked(without, "without");
  EXPECT_EQ(without.files, 600U) << "each file and its folder, where nothing else can be done";
  EXPECT_LE(without.file_systems, 8U);
  unpacked(fuse, "fuse");
  EXPECT_EQ(fuse.files, 608U) << "and where folders were made; what serves it is told of no other call";
  EXPECT_EQ(fuse.file_systems, 0U);
}

// A disk that can't take the bytes of one file. The system says so once, to who waits for them first.
class LostWrite : public SyncsCounted {
 public:
  int sync_file_range(int, off_t, off_t, unsigned flags) override {
    if ((flags & SYNC_FILE_RANGE_WAIT_AFTER) == 0 || said_.exchange(true)) return 0;
    errno = EIO;
    return -1;
  }

 private:
  std::atomic<bool> said_ = false;
};

TEST(Unpacking, NamesNoFileWhoseBytesTheDiskDidNotTake) {
  const ScratchFolder folder;
  for (int i = 0; i < 5; ++i) testing::write_file(folder / formatted("in/{}", i), as_bytes(formatted("file {}", i)));
  PackOptions packing;
  packing.all = true;
  ASSERT_TRUE(pack({folder / "in"}, folder / "packed", packing));
  LostWrite system;
  const io::ReplacedSystem replaced(system);
  const auto report = unpack(folder / "packed/other.dcbs", folder / "out");
  ASSERT_TRUE(report.has_value()) << describe(report.error());
  EXPECT_EQ(report->files, 4U);
  ASSERT_EQ(report->errors.size(), 1U);
  EXPECT_EQ(report->errors[0].system, EIO);
  EXPECT_EQ(testing::tree(folder / "out").size(), 4U);
}

TEST(Unpacking, OfManyFilesNeedsFewHandles) {
  const ScratchFolder folder;
  for (int i = 0; i < 100; ++i)
    testing::write_file(folder / formatted("in/{}/{}", i % 7, i), as_bytes(formatted("file {}", i)));
  PackOptions packing;
  packing.all = true;
  ASSERT_TRUE(pack({folder / "in"}, folder / "packed", packing));
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{60, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto report = unpack(folder / "packed/other.dcbs", folder / "out");
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(report.has_value()) << describe(report.error());
  EXPECT_TRUE(report->errors.empty()) << describe(report->errors[0]);
  EXPECT_TRUE(testing::tree(folder / "in") == testing::tree(folder / "out"));
}

// Counts handles that are open at a time, on a disk that takes its time.
class HandlesCounted : public SyncsCounted {
 public:
  int openat(int folder, const char* name, int flags, mode_t mode) override {
    const int file = System::openat(folder, name, flags, mode);
    if (file < 0) return file;
    const int now = ++open_;
    for (int before = most; now > before && !most.compare_exchange_weak(before, now);) {
    }
    return file;
  }
  int close(int file) override {
    --open_;
    return System::close(file);
  }
  int syncfs(int) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return 0;
  }
  std::atomic<int> most = 0;

 private:
  std::atomic<int> open_ = 0;
};

TEST(Unpacking, InManyThreadsLeavesHandlesToTheRestOfTheProcess) {
  const ScratchFolder folder;
  pack_files(folder, 800);
  HandlesCounted system;
  const io::ReplacedSystem replaced(system);
  UnpackOptions options;
  options.threads = 16;
  const auto report = unpack(folder / "packed/other.dcbs", folder / "out", options);
  ASSERT_TRUE(report && report->errors.empty());
  EXPECT_EQ(report->files, 800U);
  EXPECT_LE(system.most, 600)
      << "128 files that get names and 128 that wait, each with its folder, and the threads' own";
}

TEST(Unpacking, LeavesTheNamesOfEmptyFoldersOnDiskThoughFewFilesAreNear) {
  const ScratchFolder folder;
  for (const char* empty : {"in/a", "in/b/c"}) std::filesystem::create_directories(folder / empty);
  PackOptions packing;
  packing.all = true;
  ASSERT_TRUE(pack({folder / "in"}, folder / "packed", packing));
  for (const bool has_syncfs : {true, false}) {
    SyncsCounted system;
    system.has_syncfs = has_syncfs;
    const io::ReplacedSystem replaced(system);
    const auto report = unpack(folder / "packed/other.dcbs", folder / formatted("out{}", has_syncfs));
    ASSERT_TRUE(report && report->errors.empty());
    EXPECT_EQ(system.file_systems, 1U);
    EXPECT_TRUE(testing::tree(folder / "in") == testing::tree(folder / formatted("out{}", has_syncfs)));
  }
}

// A disk with so much free space, to whoever asks.
class NearlyFull : public testing::WithoutSync {
 public:
  NearlyFull(std::uint64_t free_bytes, decltype(statfs::f_type) type) : free_(free_bytes), type_(type) {}
  int fstatfs(int, struct statfs* status) override {
    status->f_type = type_;
    status->f_bsize = 1;
    status->f_blocks = 1'000'000;
    status->f_bfree = free_;  // some of it reserved, for this user or another
    status->f_bavail = free_ / 2;
    return 0;
  }

 private:
  std::uint64_t free_;
  decltype(statfs::f_type) type_;
};

TEST_F(UnpackFaults, WhatTakesMoreThanIsFreeIsRefusedBeforeAnythingIsWritten) {
  std::uint64_t needed = 0;
  for (const auto& [name, bytes] : files_) needed += bytes.size();
  const auto unpacked = [&](std::uint64_t available, decltype(statfs::f_type) type, OnConflict on_conflict) {
    NearlyFull system(available, type);
    const io::ReplacedSystem replaced(system);
    UnpackOptions options;
    options.on_conflict = on_conflict;
    return unpack(archive(), target(), options);
  };
  const auto refused = unpacked(needed - 1, EXT4_SUPER_MAGIC, OnConflict::kError);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::kIo);
  EXPECT_FALSE(writes_no_more(refused.error())) << "what is smaller may fit";
  EXPECT_EQ(refused.error().file, archive()) << "what is the same of other archives is the reason alone";
  EXPECT_EQ(refused.error().message.find(archive()), std::string::npos) << refused.error().message;
  for (const std::uint64_t number : {needed, needed - 1})
    EXPECT_NE(refused.error().message.find(formatted(" {} ", number)), std::string::npos) << refused.error().message;
  EXPECT_FALSE(std::filesystem::exists(target()));
  std::filesystem::create_directory(target());
  std::filesystem::create_symlink("/nowhere", target() + "/a");
  const auto behind_link = unpacked(0, EXT4_SUPER_MAGIC, OnConflict::kError);
  ASSERT_TRUE(behind_link) << "nothing is written where a link is in the way";
  EXPECT_EQ(behind_link->failed, files_.size());
  std::filesystem::remove(target() + "/a");
  EXPECT_TRUE(unpacked(needed - 1, BTRFS_SUPER_MAGIC, OnConflict::kError)) << "it may compress them";
  EXPECT_EQ(files_below(target()), files_);
  for (const auto there : {OnConflict::kSkip, OnConflict::kOverwrite, OnConflict::kError})
    EXPECT_TRUE(unpacked(0, EXT4_SUPER_MAGIC, there)) << "no more space is needed where the files are";
  EXPECT_FALSE(unpacked(needed - 1, EXT4_SUPER_MAGIC, OnConflict::kRename));
  EXPECT_TRUE(unpacked(needed, EXT4_SUPER_MAGIC, OnConflict::kRename));
}

}  // namespace
}  // namespace dicube
