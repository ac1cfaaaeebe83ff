#include "cli/palette_segments.h"

#include <gtest/gtest.h>

namespace dicube::cli {
namespace {

using Numbers = std::vector<double>;

Numbers entries(const Numbers& units, std::size_t bytes_each = 2, std::size_t most = 256) {
  const auto made = entries_of_segments(units, bytes_each, most);
  EXPECT_TRUE(made) << made.error().message;
  return made.value_or(Numbers());
}

std::string error(const Numbers& units, std::size_t bytes_each = 2, std::size_t most = 256) {
  const auto made = entries_of_segments(units, bytes_each, most);
  return made ? "none" : made.error().message;
}

TEST(PaletteSegments, AreRunsAndLinesThatEndInTheirValue) {
  EXPECT_EQ(entries({0, 3, 7, 5, 9}), (Numbers{7, 5, 9}));
  EXPECT_EQ(entries({0, 1, 10, 1, 4, 50}), (Numbers{10, 20, 30, 40, 50}));
  EXPECT_EQ(entries({0, 1, 50, 1, 4, 10, 0, 1, 3}), (Numbers{50, 40, 30, 20, 10, 3}));
  EXPECT_EQ(entries({0, 1, 0, 1, 3, 2}), (Numbers{0, 1, 1, 2})) << "rounded to the nearest";
  EXPECT_EQ(entries({}), Numbers());
  EXPECT_EQ(entries({0, 1, 8, 0}, 1), Numbers{8}) << "and a byte of padding";
  EXPECT_EQ(entries({0, 1, 8, 0, 0, 0, 0}, 1, 1), Numbers{8}) << "and more of it, behind all entries";
}

TEST(PaletteSegments, AreSaidAgainByTheirPlaceInBytes) {
  const Numbers said{0, 2, 1, 2, 1, 2, 6};  // a run at unit 0, a line at unit 4
  const Numbers entered{1, 2, 4, 6};
  ASSERT_EQ(entries(said), entered);
  Numbers words = said, bytes = said;
  words.insert(words.end(), {2, 1, 8, 0});        // the line once more, from where it ended: 6, 6
  bytes.insert(bytes.end(), {2, 2, 0, 0, 0, 0});  // both once more
  EXPECT_EQ(entries(words), (Numbers{1, 2, 4, 6, 6, 6}));
  EXPECT_EQ(entries(bytes, 1), (Numbers{1, 2, 4, 6, 1, 2, 4, 6}));
}

TEST(PaletteSegments, ThatCannotBeAreErrorsThatNameThePlace) {
  EXPECT_EQ(error({0, 3, 7, 5}), "the segment at byte 0 is cut off");
  EXPECT_EQ(error({0, 1, 7, 1, 4}), "the segment at byte 6 is cut off");
  EXPECT_EQ(error({0, 1, 7, 2, 1, 0}), "the segment at byte 6 is cut off");
  EXPECT_EQ(error({1, 4, 9}), "the segment at byte 0 is a line from nowhere");
  EXPECT_EQ(error({0, 1, 7, 0, 0}), "the segment at byte 6 is empty");
  EXPECT_EQ(error({0, 1, 7, 9, 1, 1}), "the segment at byte 6 is of a kind that may not stand there");
  EXPECT_EQ(error({0, 2, 7, 7}, 2, 1), "the segment at byte 0 has more entries than there are to be");
  EXPECT_EQ(error({0, 1, 7, 1, 65535, 9}), "the segment at byte 6 has more entries than there are to be");
}

TEST(PaletteSegments, ReferToOthersBeforeThemAndThoseToNone) {
  EXPECT_EQ(error({0, 1, 7, 2, 1, 6, 0}), "the segment at byte 6 refers to what is not before it") << "itself";
  EXPECT_EQ(error({0, 1, 7, 2, 1, 65535, 65535}), "the segment at byte 6 refers to what is not before it");
  EXPECT_EQ(error({0, 1, 7, 2, 1, 0, 0, 2, 1, 6, 0}), "the segment at byte 6 is of a kind that may not stand there");
  EXPECT_EQ(error({0, 1, 7, 2, 2, 0, 0}), "the segment at byte 6 is of a kind that may not stand there")
      << "the second one that it refers to is itself";
}

}  // namespace
}  // namespace dicube::cli
