#include "series/slice_list.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace dicube {
namespace {

Slice slice(unsigned number) {
  Slice slice;
  slice.instance_number = number;
  slice.position = {1.5, -2.25, 0.7 * number};
  slice.orientation = {1, 0, 0, 0, 1, 0};
  slice.rows = slice.columns = 512;
  slice.sop_instance_uid = "1.2.826.0.1.3680043.8.498." + std::to_string(number);
  slice.patient_name = "Roe^Jane";
  slice.has_frames = true;
  slice.is_whole = false;
  slice.is_broken = true;
  slice.planes.resize(2);
  slice.planes[1].position = {1, 2, 0.5};
  return slice;
}

TEST(SliceList, GivesBackWhatItWasGiven) {
  SliceList list;
  list.push(slice(1));
  list.push(Slice());
  list.push(slice(2));
  ASSERT_EQ(list.size(), 3U);
  for (const std::size_t i : {0U, 2U}) {
    const Slice expected = slice(i == 0 ? 1 : 2);
    EXPECT_EQ(list[i][&Slice::instance_number], expected.instance_number);
    EXPECT_EQ(list[i][&Slice::position], expected.position);
    EXPECT_EQ(list[i][&Slice::orientation], expected.orientation);
    EXPECT_EQ(list[i][&Slice::pixel_spacing], std::nullopt);
    EXPECT_EQ(list[i][&Slice::rows], 512);
    EXPECT_EQ(list[i][&Slice::thickness], std::nullopt);
    EXPECT_EQ(list[i][&Slice::sop_instance_uid], expected.sop_instance_uid);
    EXPECT_EQ(list[i][&Slice::patient_name], "Roe^Jane");
    EXPECT_EQ(list[i][&Slice::modality], "");
    EXPECT_EQ(list[i][&Slice::has_frames], true);
    EXPECT_EQ(list[i][&Slice::is_whole], false);
    EXPECT_EQ(list[i][&Slice::is_broken], true);
    ASSERT_EQ(list[i][&Slice::planes].size(), 2U);
    EXPECT_EQ(list[i][&Slice::planes][0].position, std::nullopt);
    EXPECT_EQ(list[i][&Slice::planes][1].position, expected.planes[1].position);
  }
  EXPECT_EQ(list.slice(2).position, slice(2).position);
  EXPECT_EQ(list.slice(2).sop_instance_uid, slice(2).sop_instance_uid);
  EXPECT_EQ(list[1][&Slice::instance_number], std::nullopt);
  EXPECT_EQ(list[1][&Slice::position], std::nullopt);
  EXPECT_EQ(list[1][&Slice::sop_instance_uid], "");
  EXPECT_EQ(list[1][&Slice::has_frames], std::nullopt);
  EXPECT_TRUE(list[1][&Slice::planes].empty());
}

TEST(SliceList, KeepsNumbersToTheBit) {
  SliceList list;
  Slice odd = slice(1);
  for (const double number : {0.0, -0.0, std::numeric_limits<double>::quiet_NaN()}) {
    odd.slope = number;
    list.push(odd);
  }
  EXPECT_FALSE(std::signbit(*list[0][&Slice::slope]));
  EXPECT_TRUE(std::signbit(*list[1][&Slice::slope]));
  EXPECT_TRUE(std::isnan(*list[2][&Slice::slope]));
}

TEST(SliceList, HoldsAFewHundredBytesOfASliceMore) {
  constexpr unsigned kSlices = 1000;
  SliceList list;
  for (unsigned i = 0; i < kSlices; ++i) list.push(slice(i));
  EXPECT_LT(list.held_bytes() / kSlices, 200U);
}

}  // namespace
}  // namespace dicube
