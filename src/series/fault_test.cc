// Packing while the system fails, and while the process ends, at every call in turn (R12, R13, R14).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <random>

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
using testing::in_child;
using testing::ScratchFolder;

constexpr unsigned kInstances = 3;

// A small series, the archive it packs to, and an older archive that may stand in its place.
class Faults : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_series(source(), kInstances);
    reference_ = testing::pack_bytes({source()}, scratch_ / "reference.dcbs");
    testing::write_series(scratch_ / "older", 1);
    older_ = testing::pack_bytes({scratch_ / "older"}, scratch_ / "older.dcbs");
    ASSERT_FALSE(reference_.empty());
    ASSERT_FALSE(older_.empty());
    ASSERT_NE(reference_, older_);
    const auto verified = verify(scratch_ / "reference.dcbs");
    ASSERT_TRUE(verified) << describe(verified.error());
    ASSERT_TRUE(verified->errors.empty());
    ASSERT_EQ(verified->instances, kInstances);
    const int file = ::open(scratch_.path().c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    has_nameless_ = file >= 0;
    if (has_nameless_) ::close(file);
  }

  std::string source() const { return scratch_ / "source"; }
  std::string target() const { return scratch_ / "target"; }
  std::string archive() const { return target() + "/series.dcbs"; }

  // No target folder, or one with the older archive in it.
  void prepare(bool replacing) const {
    std::filesystem::remove_all(target());
    for (const std::string& name : beside()) std::filesystem::remove(scratch_ / name);
    if (replacing) testing::write_file(archive(), older_);
  }

  Result<PackSummary> pack_series(bool replacing, unsigned threads = 1) const {
    PackOptions options;
    options.threads = threads;
    options.on_conflict = replacing ? OnConflict::kOverwrite : OnConflict::kError;
    return pack({source()}, archive(), options);
  }

  // Temporary names where the target folder was to be.
  std::vector<std::string> beside() const { return testing::temporary_names_in(scratch_.path()); }

  // And what is in it besides the archive.
  std::vector<std::string> leftovers() const {
    std::vector<std::string> names = beside();
    if (!std::filesystem::exists(target())) return names;
    for (const auto& entry : std::filesystem::directory_iterator(target()))
      if (entry.path() != archive()) names.push_back(entry.path().filename().string());
    return names;
  }

  // After a process ended: under the archive's name is the old one, nothing or the whole new one. True for the new one.
  bool expect_old_none_or_new(bool replacing) const {
    if (!std::filesystem::exists(archive())) {
      EXPECT_FALSE(replacing) << "the older archive is gone";
      return false;
    }
    const Bytes bytes = testing::read_bytes(archive());
    if (replacing && bytes == older_) return false;
    EXPECT_EQ(bytes, reference_) << "an archive of " << bytes.size() << " bytes, " << reference_.size() << " expected";
    const auto verified = verify(archive());
    EXPECT_TRUE(verified && verified->errors.empty());
    return true;
  }

  // Packs with call `strike` failing; true when there was such a call.
  bool pack_with_fault(Fault fault, std::size_t strike, FileSystem file_system, bool replacing);
  // Packs in a process of its own that ends at call `strike`; true when there was such a call.
  bool pack_and_exit(Fault fault, std::size_t strike, FileSystem file_system, bool replacing);
  void check_failed(const PackSummary& summary, bool replacing);

  ScratchFolder scratch_;
  Bytes reference_, older_;
  bool has_nameless_ = false;  // the file system that the test runs on
  std::size_t failures_ = 0, successes_ = 0;
};

void expect_io_error(const Error& error) {
  EXPECT_EQ(error.error_class, ErrorClass::kIo) << describe(error);
  EXPECT_FALSE(error.message.empty());
}

// Of a pack that reported errors: they are of the right kind, and what stands under the archive's name is whole.
void Faults::check_failed(const PackSummary& summary, bool replacing) {
  for (const Error& error : summary.errors) expect_io_error(error);
  ASSERT_LE(summary.series.size(), 1U);
  const bool failed = summary.series.empty() || summary.series[0].error.has_value();
  if (!summary.series.empty() && summary.series[0].error) {
    // An older archive that alone holds what could not be read stays.
    const bool is_kept = replacing && !summary.errors.empty() && testing::read_bytes(archive()) == older_;
    if (!is_kept) expect_io_error(*summary.series[0].error);
  }
  if (failed && !replacing) {
    EXPECT_FALSE(std::filesystem::exists(archive()));
    return;
  }
  ASSERT_TRUE(std::filesystem::exists(archive()));
  if (failed) {  // the last step, syncing the folder, can fail when the new archive stands there already
    const Bytes bytes = testing::read_bytes(archive());
    EXPECT_TRUE(bytes == older_ || bytes == reference_);
    return;
  }
  // A source that could not be read was left out and reported; the others are there.
  const auto verified = verify(archive());
  ASSERT_TRUE(verified) << describe(verified.error());
  EXPECT_TRUE(verified->errors.empty());
  EXPECT_EQ(verified->instances, kInstances - summary.errors.size());
}

bool Faults::pack_with_fault(Fault fault, std::size_t strike, FileSystem file_system, bool replacing) {
  prepare(replacing);
  FaultySystem system(fault, strike, file_system);
  const auto summary = [&] {
    io::ReplacedSystem replaced(system);
    return pack_series(replacing);
  }();
  // A name that the system refuses to take away stays, one that no reader takes for an archive.
  const bool can_stay =
      system.has_struck() && system.struck() == Call::kUnlink && (fault == Fault::kIoError || fault == Fault::kNoSpace);
  for (const std::string& name : leftovers())
    EXPECT_TRUE(can_stay && name.starts_with(".dicube-")) << name << " was left behind";
  EXPECT_TRUE(std::filesystem::exists(archive()) || !testing::is_of_bytes(system.struck()) ||
              !std::filesystem::exists(target()))
      << "an empty folder was left behind; struck was kind " << static_cast<int>(system.struck());
  const bool is_clean = summary && summary->errors.empty() && summary->series.size() == 1 && !summary->series[0].error;
  ++(is_clean ? successes_ : failures_);
  if (is_clean) {
    const Bytes bytes = testing::read_bytes(archive());
    EXPECT_TRUE(bytes == reference_) << "an archive of " << bytes.size() << " bytes, " << reference_.size()
                                     << " expected; struck was kind " << static_cast<int>(system.struck());
  } else {
    EXPECT_TRUE(system.has_struck()) << "failed by itself";
    EXPECT_TRUE(fault != Fault::kInterrupt && fault != Fault::kShort)
        << "an interrupted or short call is to be continued";
    if (summary) {
      check_failed(*summary, replacing);
    } else {
      expect_io_error(summary.error());
      EXPECT_EQ(std::filesystem::exists(archive()), replacing);
      if (replacing) {
        EXPECT_EQ(testing::read_bytes(archive()), older_);
      }
    }
  }
  return system.has_struck();
}

bool Faults::pack_and_exit(Fault fault, std::size_t strike, FileSystem file_system, bool replacing) {
  prepare(replacing);
  const bool struck = ends_at(fault, strike, file_system, [&] { static_cast<void>(pack_series(replacing)); });
  const bool is_new = expect_old_none_or_new(replacing);
  EXPECT_TRUE(struck || is_new) << "not packed though nothing failed";
  for (const std::string& name : leftovers()) {
    EXPECT_TRUE(name.starts_with(".dicube-") && name.ends_with(".tmp")) << name;
    EXPECT_TRUE(!file_system.nameless || !has_nameless_ || replacing)
        << name << ": this file system needs no temporary name";
  }
  return struck;
}

TEST_F(Faults, AnIoErrorAtAnyCallIsReportedAndLeavesNothingBehind) {
  for_every_call([&](auto... at) { return pack_with_fault(Fault::kIoError, at...); });
  EXPECT_GT(failures_, 20U);
}

TEST_F(Faults, NoSpaceAtAnyCallIsReportedAndLeavesNothingBehind) {
  for_every_call([&](auto... at) { return pack_with_fault(Fault::kNoSpace, at...); });
  EXPECT_GT(failures_, 20U);
}

TEST_F(Faults, ADiskThatIsFullFromAnyCallOnIsReportedAndLeavesNothingBehind) {
  for_every_call([&](auto... at) { return pack_with_fault(Fault::kDiskFull, at...); });
  EXPECT_GT(failures_, 20U);
}

TEST_F(Faults, AnInterruptedCallIsRepeated) {
  for_every_call([&](auto... at) { return pack_with_fault(Fault::kInterrupt, at...); });
  EXPECT_EQ(failures_, 0U);
  EXPECT_GT(successes_, 20U);
}

TEST_F(Faults, AShortReadWriteOrCopyIsContinued) {
  for_every_call([&](auto... at) { return pack_with_fault(Fault::kShort, at...); });
  EXPECT_EQ(failures_, 0U);
  EXPECT_GT(successes_, 20U);
}

TEST_F(Faults, AProcessThatEndsBeforeAnyCallLeavesTheOldArchiveNoneOrTheWholeNewOne) {
  for_every_call([&](auto... at) { return pack_and_exit(Fault::kExit, at...); });
}

TEST_F(Faults, AProcessThatEndsBehindAnyCallLeavesTheOldArchiveNoneOrTheWholeNewOne) {
  for_every_call([&](auto... at) { return pack_and_exit(Fault::kExitAfter, at...); });
}

TEST_F(Faults, AProcessKilledAtRandomMomentsLeavesTheOldArchiveNoneOrTheWholeNewOne) {
  using Clock = std::chrono::steady_clock;
  const unsigned kKills = testing::rounds(100, 2000), kMostTries = 10 * kKills;
  std::chrono::nanoseconds longest{1'000'000};
  for (int i = 0; i < 3; ++i) {
    prepare(false);
    const auto start = Clock::now();
    ASSERT_EQ(in_child([&] { static_cast<void>(pack_series(false, 2)); }), 0);
    ASSERT_TRUE(expect_old_none_or_new(false));
    longest = std::max<std::chrono::nanoseconds>(longest, Clock::now() - start);
  }
  std::mt19937_64 random(1);
  unsigned killed = 0;
  for (unsigned i = 0; i < kMostTries && killed < kKills && !HasFailure(); ++i) {
    const bool replacing = i % 2 != 0;
    prepare(replacing);
    const std::uint64_t wait = random() % static_cast<std::uint64_t>(longest.count());
    const int status = in_child([&] { static_cast<void>(pack_series(replacing, 2)); },
                                [&](pid_t child) {
                                  ::usleep(static_cast<useconds_t>(wait / 1000));
                                  ::kill(child, SIGKILL);
                                });
    SCOPED_TRACE(formatted("try {}, killed after {} ns", i, wait));
    if (WIFSIGNALED(status)) ++killed;
    const bool is_new = expect_old_none_or_new(replacing);
    EXPECT_TRUE(is_new || WIFSIGNALED(status));
    for (const std::string& name : leftovers()) EXPECT_TRUE(name.starts_with(".dicube-")) << name;
  }
  EXPECT_EQ(killed, kKills);
}

// Another process is always a moment faster in giving a name.
class SlowSystem : public testing::WithoutSync {
 public:
  int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) override {
    const int other = System::openat(to_folder, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (other >= 0) System::close(other);
    return System::linkat(from_folder, from, to_folder, to, flags);
  }
};

TEST(Races, ThatAnotherProcessWinsAreSkippedWhenConflictsAre) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  testing::pack_bytes({folder / "in"}, folder / "first.dcbs");
  SlowSystem system;
  const io::ReplacedSystem replaced(system);
  PackOptions packing;
  packing.on_conflict = OnConflict::kSkip;
  const auto summary = pack({folder / "in"}, folder / "second.dcbs", packing);
  ASSERT_TRUE(summary && summary->series.size() == 1);
  EXPECT_TRUE(summary->series[0].skipped && !summary->series[0].error);
  EXPECT_TRUE(testing::read_bytes(folder / "second.dcbs").empty()) << "the other's file is replaced";
  UnpackOptions unpacking;
  unpacking.on_conflict = OnConflict::kSkip;
  const auto report = unpack(folder / "first.dcbs", folder / "out", unpacking);
  ASSERT_TRUE(report.has_value()) << describe(report.error());
  EXPECT_TRUE(report->errors.empty());
  EXPECT_EQ(report->skipped, 3U);
}

// The same where files have no second names.
class SlowWithoutLinks : public testing::WithoutSync {
 public:
  int openat(int folder, const char* name, int flags, mode_t mode) override {
    return (flags & O_TMPFILE) == O_TMPFILE ? refuse(EOPNOTSUPP) : System::openat(folder, name, flags, mode);
  }
  int linkat(int, const char*, int, const char*, int) override { return refuse(EPERM); }
  int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) override {
    const int other = System::openat(to_folder, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (other >= 0) System::close(other);
    return System::renameat2(from_folder, from, to_folder, to, flags);
  }

 private:
  static int refuse(int error) {
    errno = error;
    return -1;
  }
};

TEST(Races, ThatAnotherProcessWinsReplaceNothingWhereFilesHaveNoSecondNames) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  SlowWithoutLinks system;
  const io::ReplacedSystem replaced(system);
  const auto summary = pack({folder / "in"}, folder / "one.dcbs");
  ASSERT_TRUE(summary && summary->series.size() == 1);
  EXPECT_TRUE(summary->series[0].error && summary->series[0].error->error_class == ErrorClass::kConflict);
  EXPECT_TRUE(testing::read_bytes(folder / "one.dcbs").empty()) << "the other's file is replaced";
}

TEST(Races, ThatAnotherProcessWinsAreSkippedByConversionsToo) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  testing::pack_bytes({folder / "in"}, folder / "first.dcbs");
  SlowSystem system;
  const io::ReplacedSystem replaced(system);
  for (const bool to_version1 : {false, true}) {
    ConvertOptions options;
    options.on_conflict = OnConflict::kSkip;
    options.to_version1 = to_version1;
    const auto report = convert(folder / "first.dcbs", folder / formatted("{}.dcbs", to_version1), options);
    ASSERT_TRUE(report.has_value()) << describe(report.error());
    EXPECT_TRUE(report->skipped);
  }
}

TEST(Races, ThatAnotherProcessWinsCountAsPackedInTheProgress) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  testing::write_file(folder / "in/notes", as_bytes(std::string_view("text")));
  SlowSystem system;
  const io::ReplacedSystem replaced(system);
  PackOptions options;
  options.all = true;
  options.threads = 1;
  options.on_conflict = OnConflict::kSkip;
  options.on_progress = [](const Progress& progress) {
    if (progress.phase == Progress::Phase::kScan) return;
    EXPECT_EQ(progress.files_total, 4U);
    EXPECT_LE(progress.files_done, 4U);
  };
  const auto summary = pack({folder / "in"}, folder / "out", options);
  ASSERT_TRUE(summary && summary->series.size() == 2);
  EXPECT_TRUE(summary->series[0].skipped && summary->series[1].skipped);
}

}  // namespace
}  // namespace dicube
