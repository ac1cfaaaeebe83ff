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

}  // namespace
}  // namespace dicube::archive
