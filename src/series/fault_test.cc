// Packing while the system fails, and while the process ends, at every call in turn (R12, R13, R14).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <random>

#include "dicube/dicube.h"
#include "io/system.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using testing::ScratchFolder;

constexpr int kExited = 42;
constexpr unsigned kInstances = 3;

enum class Call { kOpen, kRead, kWrite, kStat, kSync, kMakeFolder, kLink, kRename, kUnlink, kClose };

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
  int fsync(int) override {
    return call(Call::kSync, false, [] { return 0; });
  }
  int mkdirat(int folder, const char* name, mode_t mode) override {
    return call(Call::kMakeFolder, true, [&] { return System::mkdirat(folder, name, mode); });
  }
  int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) override {
    if (!file_system_.links) return refuse(EPERM);
    return call(Call::kLink, true, [&] { return System::linkat(from_folder, from, to_folder, to, flags); });
  }
  int renameat(int from_folder, const char* from, int to_folder, const char* to) override {
    return call(Call::kRename, true, [&] { return System::renameat(from_folder, from, to_folder, to); });
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
    if (replacing) testing::write_file(archive(), older_);
  }

  Result<PackSummary> pack_series(bool replacing, unsigned threads = 1) const {
    PackOptions options;
    options.threads = threads;
    options.on_conflict = replacing ? OnConflict::kOverwrite : OnConflict::kError;
    return pack({source()}, archive(), options);
  }

  // What is in the target folder besides the archive.
  std::vector<std::string> leftovers() const {
    std::vector<std::string> names;
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
  if (!summary.series.empty() && summary.series[0].error) expect_io_error(*summary.series[0].error);
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

// Runs `work` in a process of its own and waits for it after `meanwhile`. Returns its status.
int in_child(const std::function<void()>& work, const std::function<void(pid_t)>& meanwhile = {}) {
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

bool Faults::pack_and_exit(Fault fault, std::size_t strike, FileSystem file_system, bool replacing) {
  prepare(replacing);
  const int status = in_child([&] {
    FaultySystem system(fault, strike, file_system);
    io::ReplacedSystem replaced(system);
    pack_series(replacing);
  });
  EXPECT_TRUE(WIFEXITED(status));
  const bool struck = WIFEXITED(status) && WEXITSTATUS(status) == kExited;
  const bool is_new = expect_old_none_or_new(replacing);
  EXPECT_TRUE(struck || is_new) << "not packed though nothing failed";
  for (const std::string& name : leftovers()) {
    EXPECT_TRUE(name.starts_with(".dicube-") && name.ends_with(".tmp")) << name;
    EXPECT_TRUE(!file_system.nameless || !has_nameless_ || replacing)
        << name << ": this file system needs no temporary name";
  }
  return struck;
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
      EXPECT_GT(strike, 20U) << "the calls of a pack do not come through the replaced system";
    }
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
    ASSERT_EQ(in_child([&] { pack_series(false, 2); }), 0);
    ASSERT_TRUE(expect_old_none_or_new(false));
    longest = std::max<std::chrono::nanoseconds>(longest, Clock::now() - start);
  }
  std::mt19937_64 random(1);
  unsigned killed = 0;
  for (unsigned i = 0; i < kMostTries && killed < kKills && !HasFailure(); ++i) {
    const bool replacing = i % 2 != 0;
    prepare(replacing);
    const std::uint64_t wait = random() % static_cast<std::uint64_t>(longest.count());
    const int status = in_child([&] { pack_series(replacing, 2); },
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

}  // namespace
}  // namespace dicube
