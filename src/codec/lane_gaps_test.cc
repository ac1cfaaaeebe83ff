#include "codec/lane_gaps.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "codec/lane.h"
#include "codec/lane_reference.h"
#include "codec/lane_simd.h"
#include "codec/lane_testing.h"

namespace dicube::codec {
namespace {

using lane::Gaps;

constexpr std::uint32_t kRows = 90, kColumns = 130;

Shape shape_of(bool is_signed) {
  Shape shape;
  shape.rows = kRows;
  shape.columns = kColumns;
  shape.is_signed = is_signed;
  return shape;
}

// A smooth picture with some noise, its values changed by `change`.
template <class Change>
Bytes frame_of(const Change& change) {
  std::mt19937 random(3);
  Bytes frame(2 * kRows * kColumns);
  for (std::uint32_t i = 0; i < kRows * kColumns; ++i) {
    const unsigned x = i % kColumns, y = i / kColumns,
                   value = (x * y / 40 + 2 * x + static_cast<unsigned>(random()) % 16) % 500;
    store_le(frame.data() + 2 * i, static_cast<std::uint16_t>(change(value)));
  }
  return frame;
}

Bytes encoded(const Shape& shape, const Bytes& frame) {
  Lane lane;
  Bytes stream;
  EXPECT_TRUE(lane.encode(shape, frame, stream));
  return stream;
}

lane::Plane plane_of(const Bytes& stream) {
  ByteReader in(stream, "test");
  static_cast<void>(in.get_bytes(2));
  return lane::read_plane(in).value();
}

Status decode_in_vectors(const lane::Plane& plane, lane::Size size, const lane::Coded& coded, std::uint16_t* out,
                         const std::uint16_t* reference) {
  lane::RowBuffers buffers;
  return lane::decode_vectors(plane, size, coded, buffers, out, reference);
}

TEST(LaneGaps, AreClosedWhereTheyPayAndTheFrameComesBack) {
  struct Case {
    const char* what;
    bool is_signed;
    std::function<unsigned(unsigned)> change;
    std::size_t least_gaps;
  };
  const Case cases[] = {
      {"no gap", false, [](unsigned v) { return v; }, 0},
      {"one gap", false, [](unsigned v) { return v < 200 ? v : v + 30000; }, 1},
      {"three gaps", true, [](unsigned v) { return v + v / 120 * 7000; }, 3},
      {"every sixteenth value", false, [](unsigned v) { return 16 * v; }, 100},
      {"every seventh value, from the least one on", true, [](unsigned v) { return 7 * v - 32768; }, 100},
      {"all of 16 bits", false, [](unsigned v) { return v < 250 ? v : v + 65036; }, 1}};
  for (const Case& each : cases) {
    const Shape shape = shape_of(each.is_signed);
    const Bytes frame = frame_of(each.change), stream = encoded(shape, frame);
    const Gaps gaps = plane_of(stream).gaps;
    EXPECT_TRUE(each.least_gaps == 0 ? gaps.empty() : gaps.size() >= each.least_gaps)
        << each.what << ": " << gaps.size();
    Lane lane;
    Bytes decoded(frame.size());
    ASSERT_TRUE(lane.decode(shape, stream, decoded)) << each.what;
    EXPECT_TRUE(decoded == frame) << each.what;
    const auto plain = lane::testing::decode_planes(stream, {kRows, kColumns}, 1, lane::decode_reference);
    ASSERT_TRUE(plain) << describe(plain.error());
    EXPECT_TRUE(std::memcmp(plain->data(), frame.data(), frame.size()) == 0) << each.what;
  }
}

TEST(LaneGaps, CostLittleMoreThanTheSameFrameWithoutThem) {
  const Shape shape = shape_of(false);
  const std::size_t dense = encoded(shape, frame_of([](unsigned v) { return v; })).size();
  EXPECT_LT(encoded(shape, frame_of([](unsigned v) { return 16 * v; })).size(),
            dense + dense / 8);  // 500 gaps take a byte each
  EXPECT_LT(encoded(shape, frame_of([](unsigned v) { return v < 200 ? v : v + 30000; })).size(), dense + dense / 50);
}

TEST(LaneGaps, OfDamagedStreamsAreRefusedOrMeanTheSameToBothDecoders) {
  for (const unsigned factor : {1U, 16U}) {  // few gaps, and many
    const Bytes good =
        encoded(shape_of(false), frame_of([&](unsigned v) { return factor == 1 ? v + v / 120 * 7000 : factor * v; }));
    for (std::size_t byte = 2; byte < std::min<std::size_t>(good.size(), 300); ++byte)
      for (unsigned bit = byte % 4; bit < 8; bit += 4) {
        Bytes bad = good;
        bad[byte] ^= std::byte{1} << bit;
        const auto plain = lane::testing::decode_planes(bad, {kRows, kColumns}, 1, lane::decode_reference);
        const auto vectors = lane::testing::decode_planes(bad, {kRows, kColumns}, 1, decode_in_vectors);
        ASSERT_EQ(plain.has_value(), vectors.has_value()) << "byte " << byte << ", bit " << bit;
        ASSERT_TRUE(!plain || *plain == *vectors) << "byte " << byte << ", bit " << bit;
      }
  }
}

TEST(LaneGaps, BeyondTheirRangeAreRefused) {
  lane::Plane plane;
  plane.range = 100;
  plane.contexts.resize(1);
  plane.contexts[0].frequency = {249, 1, 1, 1, 1, 1, 1, 1};
  const auto read = [&](Gaps gaps) {
    plane.gaps = std::move(gaps);
    ByteWriter out;
    lane::write_plane(plane, out);
    const Bytes bytes = out.take();
    ByteReader in(bytes, "test");
    return lane::read_plane(in);
  };
  ASSERT_TRUE(read({{1, 1}, {100, 65434}}));
  EXPECT_EQ(read({{1, 1}, {100, 65434}})->gaps[1].length, 65434);
  EXPECT_EQ(read({{1, 1}, {101, 5}}).error().error_class, ErrorClass::kCodec);
  EXPECT_EQ(read({{1, 2}, {100, 65434}}).error().error_class, ErrorClass::kCodec);
}

}  // namespace
}  // namespace dicube::codec
