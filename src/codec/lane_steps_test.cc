// Every way to ask when a lane has a pixel gives the same answer, as spec/lane.md, section 3, says it.
#include <gtest/gtest.h>

#include "codec/lane_stream.h"

namespace dicube::codec::lane {
namespace {

// Around all numbers that the order of pixels depends on.
std::vector<Size> sizes(unsigned lanes) {
  std::vector<Size> sizes;
  for (const std::uint32_t rows :
       {1U, 2U, 3U, lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes, 2 * lanes + 1, 3 * lanes + 2})
    for (std::uint32_t columns = 1; columns <= 2 * lanes + 50; ++columns) sizes.push_back({rows, columns});
  return sizes;
}

template <class Work>
void for_each_order(const Work& work) {
  for (const unsigned lanes : kLanes)
    for (const Size size : sizes(lanes)) {
      SCOPED_TRACE(formatted("{} lanes, {} x {}", lanes, size.rows, size.columns));
      work(Steps(size, lanes));
      if (testing::Test::HasFailure()) return;
    }
}

std::uint64_t step_of(const Steps& steps, std::uint32_t y, std::uint32_t x) {
  const std::uint64_t least = std::max(steps.size.columns + 4, 2 * steps.lanes + 16), period = least + least % 2;
  return y / steps.lanes * period + x + 2ULL * (y % steps.lanes);
}

TEST(Steps, HaveEveryPixelOnceWhereTheSpecificationPutsIt) {
  for_each_order([](const Steps& steps) {
    std::uint64_t pixels = 0;
    for (std::uint64_t step = 0; step < steps.count; ++step)
      for (unsigned lane = 0; lane < steps.lanes; ++lane)
        if (const auto pixel = steps.pixel(step, lane)) {
          ++pixels;
          ASSERT_LT(pixel->y, steps.size.rows);
          ASSERT_LT(pixel->x, steps.size.columns);
          ASSERT_EQ(pixel->y % steps.lanes, lane);
          ASSERT_EQ(step_of(steps, pixel->y, pixel->x), step);
        }
    EXPECT_EQ(pixels, steps.size.pixels());
  });
}

TEST(Steps, EndWithTheLastPixel) {
  for_each_order([](const Steps& steps) {
    EXPECT_EQ(steps.count, step_of(steps, steps.size.rows - 1, steps.size.columns - 1) + 1);
    EXPECT_EQ(steps.groups(), (steps.count - 1) / 16 + 1);
  });
}

// What a pixel's context and prediction need is there before it.
TEST(Steps, HaveThePixelsAroundAnotherBeforeIt) {
  for_each_order([](const Steps& steps) {
    for (std::uint32_t y = 1; y < steps.size.rows; ++y)
      for (const std::uint32_t x : {0U, 1U, steps.size.columns / 2, steps.size.columns - 1}) {
        const std::uint32_t north_east = std::min(x + 1, steps.size.columns - 1);
        EXPECT_LT(step_of(steps, y - 1, north_east), step_of(steps, y, x));
        if (y < steps.lanes) continue;
        EXPECT_LT(step_of(steps, y - steps.lanes, steps.size.columns - 1), step_of(steps, y, 0));
      }
  });
}

TEST(Steps, HaveTheLanesThatHavePixels) {
  for_each_order([](const Steps& steps) {
    Steps::Moment moment = steps.moment(0);
    for (std::uint64_t step = 0; step < steps.count + kGroup; ++step, moment = steps.next(moment)) {
      const Steps::Moment same = steps.moment(step);
      ASSERT_EQ(moment.step, same.step);
      ASSERT_EQ(moment.slot, same.slot);
      ASSERT_EQ(moment.at, same.at);
      ASSERT_EQ(static_cast<std::uint64_t>(moment.step), step);
      const auto present = steps.present(moment.slot, moment.at);
      for (unsigned lane = 0; lane < steps.lanes; ++lane) {
        const auto has = [lane](Steps::Lanes lanes) { return lane >= lanes.first && lane < lanes.first + lanes.count; };
        const auto pixel = steps.pixel(step, lane);
        ASSERT_FALSE(has(present.lanes) && has(present.others)) << "step " << step << ", lane " << lane;
        ASSERT_EQ(present.has(lane), pixel.has_value()) << "step " << step << ", lane " << lane;
        if (!pixel) continue;
        const std::int64_t row_of_lane = pixel->y / steps.lanes;
        ASSERT_EQ(row_of_lane, has(present.lanes) ? moment.slot : moment.slot - 1)
            << "step " << step << ", lane " << lane;
      }
      // So that a vector may take those that end a row behind those that go on with one.
      if (present.lanes.count > 0 && present.others.count > 0) {
        EXPECT_LE(present.lanes.first + present.lanes.count, present.others.first);
      }
    }
  });
}

TEST(Steps, OfAGroupHaveItsPixelsAndSayWhereAllLanesAreInside) {
  for_each_order([](const Steps& steps) {
    std::uint64_t inside = 0;
    for (std::uint64_t group = 0; group < steps.groups(); ++group) {
      std::uint64_t pixels = 0;
      bool is_inside = true;  // each lane in its row number `slot`
      const std::uint64_t slot = group * kGroup / steps.period;
      for (std::uint64_t step = group * kGroup; step < (group + 1) * kGroup; ++step)
        for (unsigned lane = 0; lane < steps.lanes; ++lane) {
          const auto pixel = steps.pixel(step, lane);
          pixels += pixel ? 1 : 0;
          is_inside = is_inside && pixel && pixel->y / steps.lanes == slot;
        }
      EXPECT_EQ(steps.pixels_of(group), pixels) << "group " << group;
      EXPECT_EQ(steps.is_inside(group), is_inside) << "group " << group;
      inside += is_inside ? 1 : 0;
    }
    if (steps.size.columns >= 2 * (steps.lanes - 1) + 31 && steps.size.rows >= steps.lanes) {
      EXPECT_GT(inside, 0U);
    }
  });
}

}  // namespace
}  // namespace dicube::codec::lane
