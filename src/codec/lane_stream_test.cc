// Every bound that spec/lane.md gives is checked: numbers at it are taken, those beyond it refused.
#include "codec/lane_stream.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace dicube::codec::lane {
namespace {

constexpr Size kSize{3, 40};
constexpr unsigned kLevels = 3;

// With everything that a plane may have.
Plane full_plane() {
  Plane plane;
  plane.low = -5;
  plane.range = 200;
  plane.gaps = {{3, 2}, {7, 1}};
  plane.levels = kLevels;
  plane.thresholds = {4, 9};
  plane.contexts.assign(3, {2, {100, 50, 0, 0, 0, 0, 0, 106}});
  plane.correction.emplace();
  return plane;
}

Bytes written(const Plane& plane) {
  ByteWriter out;
  write_plane(plane, out);
  return out.take();
}

bool is_read(ByteSpan stream) {
  ByteReader in(stream, "test");
  const auto plane = read_plane(in, true);
  if (!plane) {
    EXPECT_EQ(plane.error().error_class, ErrorClass::kCodec) << describe(plane.error());
  }
  return plane.has_value() && in.left() == 0;
}

// Where numbers of full_plane() stand in its stream.
constexpr std::size_t kLow = 0, kRange = 4, kFlags = 6, kGaps = 7, kLowBits = kGaps + 4 + 2, kShift = kLowBits + 1,
                      kLevelCount = kShift + 1, kLevelShift = kLevelCount + 1, kCoefficients = kLevelShift + 1,
                      kLift = kCoefficients + std::size_t{2} * kLevels * 7, kUnrestShift = kLift + 1,
                      kUnrest = kUnrestShift + 1, kReferenceCoefficients = kUnrest + 4,
                      kContexts = kReferenceCoefficients + 24, kThresholds = kContexts + 1, kFamily = kThresholds + 2,
                      kFrequencies = kFamily + 1;

template <class T>
bool is_read_with(std::size_t at, T number) {
  Bytes stream = written(full_plane());
  store_le(&stream[at], static_cast<std::make_unsigned_t<T>>(number));
  return is_read(stream);
}

template <class T>
void expect_bound(std::size_t at, T last, T beyond) {
  EXPECT_TRUE(is_read_with(at, last)) << "byte " << at << ", " << std::int64_t{last};
  EXPECT_FALSE(is_read_with(at, beyond)) << "byte " << at << ", " << std::int64_t{beyond};
}

TEST(LaneStream, NumbersBeyondTheirBoundsAreRefused) {
  ASSERT_TRUE(is_read(written(full_plane())));
  expect_bound<std::int32_t>(kLow, -65536, -65537);
  expect_bound<std::int32_t>(kLow, 65535, 65536);
  expect_bound<std::uint8_t>(kFlags, 4 | 8 | 3, 4 | 8 | 16);
  expect_bound<std::uint8_t>(kLowBits, 8, 9);
  expect_bound<std::uint8_t>(kShift, 8, 9);
  expect_bound<std::uint8_t>(kLevelShift, 12, 13);
  expect_bound<std::int8_t>(kCoefficients, -127, -128);
  expect_bound<std::int8_t>(kLift - 1, -127, -128);
  expect_bound<std::uint8_t>(kLift, 1, 0);
  expect_bound<std::uint8_t>(kLift, 8, 9);
  expect_bound<std::uint8_t>(kUnrestShift, 15, 16);
  expect_bound<std::uint16_t>(kUnrest + 2, 32767, 32768);
  expect_bound<std::int8_t>(kReferenceCoefficients + 23, -127, -128);
  expect_bound<std::uint8_t>(kThresholds + 1, 5, 4);  // the one before it
  expect_bound<std::uint8_t>(kFamily, 21, 22);
  expect_bound<std::uint8_t>(kFrequencies + 2, 105, 106);  // the escape has what is left, and needs some
}

TEST(LaneStream, ThereAreOneToEightLevelsEachWithAClassForEveryDirection) {
  Plane plane = full_plane();
  for (plane.levels = 1; plane.levels <= kMostLevels; ++plane.levels) {
    for (unsigned c = 0; c < kClasses; ++c)
      for (unsigned tap = 0; tap < kTaps; ++tap) plane.coefficients[c][tap] = static_cast<std::int8_t>(7 * c + tap);
    const Bytes stream = written(plane);
    EXPECT_EQ(stream.size(), written(full_plane()).size() + 14 * plane.levels - 14 * kLevels);
    ByteReader in(stream, "test");
    const Plane read = read_plane(in, true).value();
    EXPECT_EQ(in.left(), 0U);
    EXPECT_EQ(read.levels, plane.levels);
    for (unsigned c = 0; c < kClasses; ++c)
      EXPECT_EQ(read.coefficients[c], plane.has_class(c) ? plane.coefficients[c] : Coefficients<kTaps>{});
  }
  for (const unsigned levels : {0U, kMostLevels + 1}) {
    Bytes stream = written(full_plane());
    stream[kLevelCount] = static_cast<std::byte>(levels);
    if (levels > kLevels)
      stream.insert(stream.begin() + kCoefficients, 14 * (levels - kLevels), std::byte{});
    else
      stream.erase(stream.begin() + kCoefficients, stream.begin() + kLift);
    EXPECT_FALSE(is_read(stream)) << levels;
  }
}

TEST(LaneStream, ThereAreOneToSixteenContextsNotOfEscapesAlone) {
  Plane plane = full_plane();
  plane.thresholds.clear();
  plane.contexts.resize(1);
  EXPECT_TRUE(is_read(written(plane)));
  for (std::uint8_t threshold = 0; plane.contexts.size() <= kMostContexts; ++threshold) {
    EXPECT_TRUE(is_read(written(plane)));
    plane.thresholds.push_back(threshold);
    plane.contexts.push_back(plane.contexts.front());
  }
  EXPECT_FALSE(is_read(written(plane))) << "17 contexts";
  EXPECT_FALSE(is_read_with<std::uint8_t>(kContexts, 0));
  plane = full_plane();
  plane.contexts[1].frequency = {};
  EXPECT_FALSE(is_read(written(plane)));
}

TEST(LaneStream, GapsTakeTheBytesThatAreSaidAndThereAreSome) {
  Bytes none = written(full_plane());
  none.erase(none.begin() + kGaps + 4, none.begin() + kLowBits);
  store_le(&none[kGaps], std::uint32_t{0});
  EXPECT_FALSE(is_read(none)) << "no gap";
  EXPECT_FALSE(is_read_with<std::uint16_t>(kRange, 1)) << "more gaps than the range has values between";
  Bytes longer = written(full_plane());
  store_le(&longer[kGaps + 2], std::uint16_t{3});
  longer.insert(longer.begin() + kGaps + 6, std::byte{0});
  EXPECT_FALSE(is_read(longer));
  Plane plane = full_plane();
  plane.range = 65000;
  plane.gaps = {{40000, 535}};
  EXPECT_TRUE(is_read(written(plane)));
  plane.gaps = {{40000, 536}};
  EXPECT_FALSE(is_read(written(plane)));
}

TEST(LaneStream, StatesAreLargeEnough) {
  const Plane plane = full_plane();
  for (const std::uint32_t state : {kLeastState, kLeastState - 1}) {
    ByteWriter out;
    for (unsigned lane = 0; lane < plane.lanes(); ++lane) out.put(lane == 3 ? state : kLeastState);
    out.put(std::uint32_t{0});
    const Bytes stream = out.take();
    ByteReader in(stream, "test");
    EXPECT_EQ(read_coded(plane, kSize, in).has_value(), state == kLeastState);
  }
}

}  // namespace
}  // namespace dicube::codec::lane
