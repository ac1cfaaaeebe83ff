#include "archive/spool.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "io/system.h"

namespace dicube::archive {
namespace {

// Entries of a third of what memory holds, with an empty one among them: some go to memory, some to the file.
void fill(Spool& spool, std::size_t entries) {
  for (std::size_t i = 0; i < entries; ++i)
    ASSERT_TRUE(spool.add(i == 1 ? Bytes() : Bytes(Spool::kInMemory / 3 + i, std::byte(i))));
}

void expect_all(const Spool& spool, std::size_t entries) {
  ASSERT_EQ(spool.count(), entries);
  Bytes scratch;
  for (std::size_t i = 0; i < entries; ++i) {
    const auto bytes = spool.read(i, 0, spool.size(i), scratch);
    ASSERT_TRUE(bytes) << i;
    const Bytes expected(i == 1 ? 0 : Spool::kInMemory / 3 + i, std::byte(i));
    EXPECT_TRUE(same_bytes(*bytes, expected)) << i;
  }
}

TEST(ASpool, GivesEntriesBackFromMemoryAndFile) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  Spool spool(folder, "spool");
  fill(spool, 6);
  expect_all(spool, 6);
}

TEST(ASpool, GivesThemBackAfterLettingGoOfMemoryToo) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  for (const std::size_t entries : {3U, 6U}) {  // with no file yet, and with one
    Spool spool(folder, "spool");
    fill(spool, entries);
    ASSERT_TRUE(spool.let_go());
    expect_all(spool, entries);
    ASSERT_TRUE(spool.let_go());
    expect_all(spool, entries);
  }
}

TEST(ASpool, KeepsEntriesThatComeInPiecesBehindAHeadPutThereLater) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  Spool spool(folder, "spool");
  ASSERT_TRUE(spool.add(Bytes(3, std::byte{1})));
  const Pieces three_million = [](const Sink& sink) -> Status {
    for (const std::byte fill : {std::byte{2}, std::byte{3}, std::byte{4}}) DICUBE_TRY(sink(Bytes(1'000'000, fill)));
    return {};
  };
  const Pieces failing = [&](const Sink& sink) -> Status {
    DICUBE_TRY(three_million(sink));
    return fail(ErrorClass::kIo, "no more");
  };
  EXPECT_FALSE(spool.add(failing));
  ASSERT_TRUE(spool.add(three_million));
  spool.drop_last();
  ASSERT_TRUE(spool.add(three_million));
  ASSERT_TRUE(spool.put_before_last(Bytes(5, std::byte{9})));
  ASSERT_TRUE(spool.add(Bytes(7, std::byte{5})));
  ASSERT_TRUE(spool.let_go());
  ASSERT_EQ(spool.count(), 3U);
  Bytes expected(5, std::byte{9}), got;
  ASSERT_TRUE(three_million([&](ByteSpan piece) {
    append(expected, piece);
    return Status();
  }));
  ASSERT_TRUE(spool.read(1, [&](ByteSpan piece) {
    append(got, piece);
    return Status();
  }));
  EXPECT_TRUE(same_bytes(got, expected));
  EXPECT_EQ(spool.size(0), 3U);
  EXPECT_EQ(spool.size(2), 7U);
}

// A file system that takes space back, as far as it is asked to, or one that can't.
class TakingBack : public io::System {
 public:
  explicit TakingBack(bool can) : can_(can) {}
  int fallocate(int file, int mode, off_t offset, off_t size) override {
    EXPECT_EQ(mode, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    taken_ += static_cast<std::uint64_t>(size);
    if (can_) return System::fallocate(file, mode, offset, size);
    errno = EOPNOTSUPP;
    return -1;
  }
  std::uint64_t taken() const { return taken_; }

 private:
  bool can_;
  std::uint64_t taken_ = 0;
};

TEST(ASpool, GivesTheSpaceOfForgottenEntriesBackAndKeepsTheOthers) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  for (const bool can : {true, false}) {
    TakingBack system(can);
    const io::ReplacedSystem replaced(system);
    Spool spool(folder, "spool");
    const std::size_t half = 4096 / 2;  // of a block, so that neighbours share one
    std::uint64_t forgotten = 0;
    for (std::size_t i = 0; i < 12; ++i)
      ASSERT_TRUE(spool.add(Bytes(i % 3 == 2 ? 0 : Spool::kInMemory / 3 + half, std::byte(i + 1))));
    ASSERT_TRUE(spool.let_go());
    for (std::size_t i = 0; i < 9; ++i) {
      forgotten += spool.size(i);
      spool.forget(i);
    }
    EXPECT_EQ(system.taken(), forgotten);
    Bytes scratch;
    for (std::size_t i = 9; i < 12; ++i) {
      const auto bytes = spool.read(i, 0, spool.size(i), scratch);
      ASSERT_TRUE(bytes) << i;
      EXPECT_TRUE(same_bytes(*bytes, Bytes(spool.size(i), std::byte(i + 1)))) << i;
    }
  }
}

TEST(ASpool, KeepsASmallEntryThatStandsBetweenForgottenOnes) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  const std::size_t sizes[] = {Spool::kInMemory + (1 << 20), Spool::kInMemory, 32, 1 << 20, 40, 1 << 21, 64, 3};
  for (unsigned forgotten = 0; forgotten < 256; ++forgotten) {
    Spool spool(folder, "spool");
    for (std::size_t i = 0; i < std::size(sizes); ++i) ASSERT_TRUE(spool.add(Bytes(sizes[i], std::byte(i + 1))));
    ASSERT_TRUE(spool.let_go());
    for (std::size_t i = 0; i < std::size(sizes); ++i)
      if ((forgotten >> i & 1) != 0) spool.forget(i);
    Bytes scratch;
    for (std::size_t i = 0; i < std::size(sizes); ++i)
      if ((forgotten >> i & 1) == 0) {
        const auto bytes = spool.read(i, 0, sizes[i], scratch);
        ASSERT_TRUE(bytes && same_bytes(*bytes, Bytes(sizes[i], std::byte(i + 1)))) << forgotten << " " << i;
      }
  }
}

TEST(ASpool, GivesAllSpaceBackWhereSmallEntriesStandAmongLargeOnes) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  TakingBack system(true);
  const io::ReplacedSystem replaced(system);
  Spool spool(folder, "spool");
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < 60; ++i) {
    const std::size_t size = i % 2 == 0 ? 600'000 : 50;
    ASSERT_TRUE(spool.add(Bytes(size, std::byte(i))));
    all += size;
  }
  ASSERT_TRUE(spool.let_go());
  for (std::size_t i = 0; i < 60; ++i) spool.forget(i);
  EXPECT_GT(system.taken() + (1 << 20), all);
}

TEST(ASpool, MakesTheMemoryOfForgottenEntriesFreeForOthers) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  TakingBack system(true);
  const io::ReplacedSystem replaced(system);
  Spool spool(folder, "spool");
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(spool.add(Bytes(Spool::kInMemory / 2, std::byte(i))));
    spool.forget(i);
  }
  EXPECT_EQ(system.taken(), 0U) << "they went to a file";
}

}  // namespace
}  // namespace dicube::archive
