// One archive read by many threads at once, and an archive replaced under its readers (R15; under TSan in the soak
// command).
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

constexpr unsigned kThreads = 16, kInstances = 12, kReplacements = 1000 / testing::kFewer;

void read_all(const Archive& archive, const std::vector<Bytes>& files, unsigned start) {
  for (unsigned n = 0; n < kInstances; ++n) {
    const unsigned i = (start + n) % kInstances;
    const auto file = archive.read_instance(i);
    ASSERT_TRUE(file && *file == files[i]);
    Bytes pixels(archive.pixel_format(i).frame_bytes());
    ASSERT_TRUE(archive.read_frame(i, pixels).has_value());
    ASSERT_TRUE(same_bytes(pixels, ByteSpan(files[i]).last(pixels.size())));
    const auto positions = archive.column("ImagePositionPatient");
    ASSERT_TRUE(positions.has_value());
    ASSERT_EQ(positions->numbers(i)[2], 2.0 * (i + 1));
    ASSERT_TRUE(archive.data_set(i).has_value());
  }
}

TEST(Readers, InSixteenThreadsOfOneArchiveGetTheirValues) {
  const testing::ScratchFolder folder;
  const auto files = testing::write_series(folder / "in", kInstances, 32);
  testing::pack_bytes({folder / "in"}, folder / "one.dcbs", 2);
  const auto archive = Archive::open(folder / "one.dcbs");
  ASSERT_TRUE(archive.has_value());
  std::vector<std::jthread> threads;
  for (unsigned thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 5; ++round) read_all(*archive, files, thread);
    });
}

TEST(AReaderOfAnyStore, IsAskedOnceToOpenAndOnceForAFrameAndForNothingElse) {
  const testing::ScratchFolder folder;
  const auto files = testing::write_series(folder / "in", kInstances, 32);
  const Bytes bytes = testing::pack_bytes({folder / "in"}, folder / "one.dcbs", 2);
  unsigned reads = 0;
  const auto read = [&](std::uint64_t offset, MutableByteSpan out) -> Status {
    ++reads;
    if (offset > bytes.size() || out.size() > bytes.size() - offset)
      return fail(ErrorClass::kDamaged, "{} bytes from {} on", out.size(), offset);
    std::ranges::copy(ByteSpan(bytes).subspan(offset, out.size()), out.begin());
    return {};
  };
  const auto archive = Archive::from_reader(bytes.size(), read, "store/one");
  ASSERT_TRUE(archive) << describe(archive.error());
  EXPECT_EQ(reads, 1U);
  EXPECT_EQ(archive->column("InstanceNumber")->number(3), 4.0);
  EXPECT_EQ(reads, 1U);
  Bytes pixels(archive->pixel_format(5).frame_bytes());
  ASSERT_TRUE(archive->read_frame(5, pixels));
  EXPECT_TRUE(same_bytes(pixels, ByteSpan(files[5]).last(pixels.size())));
  EXPECT_EQ(reads, 2U);
  read_all(*archive, files, 0);
}

TEST(AReaderOfAnyStore, ThatFailsIsNamedWithItsReason) {
  const testing::ScratchFolder folder;
  testing::write_series(folder / "in", 2, 32);
  const Bytes bytes = testing::pack_bytes({folder / "in"}, folder / "one.dcbs", 1);
  bool is_down = true;
  const auto read = [&](std::uint64_t offset, MutableByteSpan out) -> Status {
    if (is_down) return fail(ErrorClass::kIo, "the store is down");
    std::ranges::copy(ByteSpan(bytes).subspan(offset, out.size()), out.begin());
    return {};
  };
  const auto refused = Archive::from_reader(bytes.size(), read, "store/one");
  ASSERT_FALSE(refused);
  EXPECT_EQ(describe(refused.error()), "store/one: the store is down");
  is_down = false;
  const auto archive = Archive::from_reader(bytes.size(), read, "store/one");
  ASSERT_TRUE(archive);
  is_down = true;
  Bytes pixels(archive->pixel_format(0).frame_bytes());
  const Status done = archive->read_frame(0, pixels);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error_class, ErrorClass::kIo);
  EXPECT_NE(describe(done.error()).find("the store is down"), std::string::npos) << describe(done.error());
}

TEST(AReaderOfAnyStore, HasAFunction) {
  const auto refused = Archive::from_reader(100, {}, "store/one");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::kUsage);
}

TEST(Readers, AreToldWhichArchiveHasNoSuchThing) {
  const testing::ScratchFolder folder;
  testing::write_series(folder / "in", 2, 32);
  testing::pack_bytes({folder / "in"}, folder / "one.dcbs", 1);
  const Archive archive = Archive::open(folder / "one.dcbs").value();
  Bytes pixels(3);
  EXPECT_EQ(archive.column("AccessionNumber").error().file, folder / "one.dcbs");
  EXPECT_EQ(archive.frame_column("AccessionNumber").error().file, folder / "one.dcbs");
  EXPECT_EQ(archive.data_set(2).error().file, folder / "one.dcbs");
  EXPECT_EQ(archive.read_frames(0, 3, 1).error().file, folder / "one.dcbs");
  EXPECT_EQ(archive.read_frames(0, 2, pixels, 1).error().file, folder / "one.dcbs");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they take more address space than there is
TEST(Readers, OfMoreThanThereIsMemoryForGetAnError) {
  const testing::ScratchFolder folder;
  testing::write_series(folder / "in", 64, 512);
  testing::pack_bytes({folder / "in"}, folder / "one.dcbs", 2);
  const Archive archive = Archive::open(folder / "one.dcbs").value();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit little{0, 0};  // more than it has: nothing can be added
    ::setrlimit(RLIMIT_AS, &little);
    const auto read = archive.read_frames(0, 64, 1);
    ::_exit(!read && read.error().error_class == ErrorClass::kLimit ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
#endif

TEST(Readers, OfAnArchiveThatIsReplacedSeeTheOldOneOrTheNew) {
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  const testing::ScratchFolder folder;
  const std::vector<std::vector<Bytes>> files = {testing::write_series(folder / "a", 3, 8, 1),
                                                 testing::write_series(folder / "b", 3, 8, 7)};
  testing::pack_bytes({folder / "a"}, folder / "one.dcbs", 1);
  std::atomic<bool> done = false;
  std::atomic<unsigned> seen[2] = {0, 0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!done) {
        const auto archive = Archive::open(folder / "one.dcbs");
        ASSERT_TRUE(archive.has_value()) << describe(archive.error());
        const auto first = archive->read_instance(0);
        ASSERT_TRUE(first.has_value()) << describe(first.error());
        const unsigned which = *first == files[0][0] ? 0 : 1;
        ++seen[which];
        for (std::size_t instance = 0; instance < 3; ++instance)
          ASSERT_TRUE(archive->read_instance(instance).value() == files[which][instance]);
      }
    });
  PackOptions options;
  options.threads = 1;
  options.on_conflict = OnConflict::kOverwrite;
  for (unsigned i = 0; i < kReplacements && !HasFailure(); ++i) {
    const auto summary = pack({folder / (i % 2 ? "a" : "b")}, folder / "one.dcbs", options);
    ASSERT_TRUE(summary && !summary->series[0].error);
  }
  done = true;
  readers.clear();
  EXPECT_GT(seen[0], 0U);
  EXPECT_GT(seen[1], 0U);
}

}  // namespace
}  // namespace dicube
