#include "archive/spool.h"

#include <gtest/gtest.h>

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
  for (const std::size_t entries : {3, 6}) {  // with no file yet, and with one
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

}  // namespace
}  // namespace dicube::archive
