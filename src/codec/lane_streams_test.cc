#include "codec/lane.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <random>

#include "codec/lane_simd.h"
#include "codec/lane_targets_testing.h"
#include "codec/lane_testing.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;
using testing::make_frame;

Shape shape_of(std::uint32_t rows, std::uint32_t columns, unsigned bits = 16) {
  Shape shape;
  shape.rows = rows;
  shape.columns = columns;
  shape.bits = static_cast<std::uint8_t>(bits);
  return shape;
}

Shape random_shape(std::mt19937& random, unsigned most) {
  Shape shape = shape_of(1 + static_cast<std::uint32_t>(random() % most),
                         1 + static_cast<std::uint32_t>(random() % most), 8U << random() % 2);
  shape.samples = random() % 4 == 0 ? 3 : 1;
  shape.is_signed = random() % 2 != 0;
  shape.planar = random() % 2 != 0;
  shape.colour = random() % 2 != 0;
  return shape;
}

// Like a scan: smooth, with noise that differs from place to place, an empty border and a few wild values.
Bytes make_scan(const Shape& shape, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes frame = make_frame(shape, Kind::kConstant, seed);
  const unsigned amplitude = 1U << random() % (shape.bits - 3), wild = random() % 3 == 0 ? 40 : 100000;
  const std::size_t width = shape.bits / 8U, values = frame.size() / width;
  for (std::size_t i = 0; i < values; ++i) {
    const std::size_t x = i / shape.samples % shape.columns, y = i / shape.samples / shape.columns;
    std::uint64_t value = 100 + (x * y) / 16 + x + random() % amplitude * (y % 64 < 32 ? 1 : 0);
    if (x < shape.columns / 5 || y < shape.rows / 5) value = 0;
    if (random() % wild == 0) value = random();
    for (std::size_t b = 0; b < width; ++b) frame[i * width + b] = static_cast<std::byte>(value >> 8 * b);
  }
  return frame;
}

Bytes encode(const Shape& shape, ByteSpan frame) {
  Lane lane;
  Bytes stream;
  const Status status = lane.encode(shape, frame, stream);
  EXPECT_TRUE(status) << describe(status.error()) << testing::describe(shape);
  return stream;
}

Status decode_in_vectors(const lane::Plane& plane, lane::Size size, const lane::Coded& coded, std::uint16_t* out,
                         const std::uint16_t* reference) {
  lane::RowBuffers buffers;
  return lane::decode_vectors(plane, size, coded, buffers, out, reference);
}

void expect_round_trip(Lane& lane, const Shape& shape, const Bytes& frame) {
  Bytes stream, decoded(frame.size(), std::byte{0x5A});
  const Status encoded = lane.encode(shape, frame, stream);
  ASSERT_TRUE(encoded) << describe(encoded.error()) << testing::describe(shape);
  const Status status = lane.decode(shape, stream, decoded);
  ASSERT_TRUE(status) << describe(status.error()) << testing::describe(shape);
  ASSERT_TRUE(same_bytes(decoded, frame)) << testing::describe(shape);
  // The plain decoder understands the same stream, and to the same end.
  const lane::Size size{shape.rows, shape.columns};
  const auto plain = lane::testing::decode_planes(stream, size, shape.samples, lane::decode_reference);
  ASSERT_TRUE(plain) << describe(plain.error()) << testing::describe(shape);
  const auto vectors = lane::testing::decode_planes(stream, size, shape.samples, decode_in_vectors);
  ASSERT_TRUE(vectors) << describe(vectors.error());
  ASSERT_TRUE(*plain == *vectors) << testing::describe(shape);
}

TEST(LaneStreams, GivesBackEveryShapeAndContentWithOneObject) {
  Lane lane;
  std::mt19937 random(1);
  for (unsigned round = 0; round < 700; ++round) {
    const Shape shape = random_shape(random, round % 20 == 0 ? 330 : 70);
    const auto kind = random() % (testing::kKinds + 3);
    const Bytes frame =
        kind < testing::kKinds ? make_frame(shape, static_cast<Kind>(kind), round) : make_scan(shape, round);
    ASSERT_NO_FATAL_FAILURE(expect_round_trip(lane, shape, frame)) << "round " << round;
  }
}

TEST(LaneStreams, PlanarFramesHaveTheStreamOfInterleavedOnes) {
  for (const unsigned bits : {8U, 16U}) {
    Shape shape = shape_of(20, 37, bits), planar = shape;
    shape.samples = planar.samples = 3;
    planar.planar = true;
    EXPECT_TRUE(same_bytes(encode(shape, make_frame(shape, Kind::kRamp, 1)),
                           encode(planar, make_frame(planar, Kind::kRamp, 1))));
  }
}

TEST(LaneStreams, GivesBackLongNarrowAndLargeFrames) {
  Lane lane;
  for (auto [rows, columns] : {std::pair{1U, 5000U},
                               {5000U, 1U},
                               {2U, 3000U},
                               {3000U, 3U},
                               {65U, 2049U},
                               {515U, 513U},
                               {1U, 1U},
                               {1U, 65535U},
                               {65535U, 1U}})
    for (Kind kind : {Kind::kSmooth, Kind::kExtremes})
      ASSERT_NO_FATAL_FAILURE(
          expect_round_trip(lane, shape_of(rows, columns), make_frame(shape_of(rows, columns), kind, rows)));
}

TEST(LaneStreams, GivesBackOnePixelThatIsOff) {
  Lane lane;
  for (unsigned bits : {8U, 16U})
    for (std::size_t side : {1U, 2U, 17U, 64U, 130U})
      for (unsigned round = 0; round < 6; ++round) {
        const Shape shape = shape_of(static_cast<std::uint32_t>(side), static_cast<std::uint32_t>(side), bits);
        Bytes frame(frame_bytes(shape).value(), std::byte{3});
        frame[std::array<std::size_t, 6>{0, side - 1, frame.size() / 2, frame.size() - 1, frame.size() - side,
                                         frame.size() / 3}[round]] = std::byte{0xFF};
        ASSERT_NO_FATAL_FAILURE(expect_round_trip(lane, shape, frame));
      }
}

TEST(LaneStreams, EveryTargetMakesAndReadsTheSameBytes) {
  std::mt19937 random(2);
  for (unsigned round = 0; round < 24; ++round) {
    const Shape shape = random_shape(random, round % 4 == 0 ? 400 : 150);
    const Bytes frame = round % 3 == 0 ? make_frame(shape, static_cast<Kind>(random() % testing::kKinds), round)
                                       : make_scan(shape, round);
    const Bytes stream = encode(shape, frame);
    lane::testing::on_every_target([&] {
      EXPECT_TRUE(same_bytes(encode(shape, frame), stream)) << testing::describe(shape);
      Lane lane;
      Bytes decoded(frame.size());
      const Status status = lane.decode(shape, stream, decoded);
      ASSERT_TRUE(status) << describe(status.error());
      EXPECT_TRUE(same_bytes(decoded, frame)) << testing::describe(shape);
    });
  }
}

TEST(LaneStreams, EncodingDependsOnTheFrameAlone) {
  Lane used;
  const Shape shape = shape_of(90, 70);
  const Bytes frame = make_scan(shape, 5);
  Bytes other, stream(1, std::byte{9});
  ASSERT_TRUE(used.encode(shape_of(33, 200), make_frame(shape_of(33, 200), Kind::kNoise, 1), other));
  ASSERT_TRUE(used.encode(shape, frame, stream));
  EXPECT_EQ(stream[0], std::byte{9});
  EXPECT_TRUE(same_bytes(ByteSpan(stream).subspan(1), encode(shape, frame)));
}

TEST(LaneStreams, OtherShapesAreUnsupported) {
  Lane lane;
  Shape bits = shape_of(4, 4, 32), samples = shape_of(4, 4), empty = shape_of(0, 4), wide = shape_of(1, 65536);
  samples.samples = 4;
  for (const Shape& shape : {bits, samples, empty, wide}) {
    Bytes out(3, std::byte{7}), frame(frame_bytes(shape).value());
    const Status status = lane.encode(shape, frame, out);
    ASSERT_FALSE(status) << testing::describe(shape);
    EXPECT_EQ(status.error().error_class, ErrorClass::kUnsupported);
    EXPECT_EQ(out, Bytes(3, std::byte{7}));
    EXPECT_EQ(lane.decode(shape, out, frame).error().error_class, ErrorClass::kUnsupported);
  }
}

TEST(LaneStreams, EveryTruncationIsFound) {
  Lane lane;
  for (const Shape& shape : {shape_of(40, 50), shape_of(9, 7, 8)}) {
    const Bytes frame = make_scan(shape, 3), stream = encode(shape, frame);
    Bytes decoded(frame.size());
    for (std::size_t size = 0; size < stream.size(); ++size) {
      const Bytes cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(
                                                           size));  // of its own, so that a sanitizer sees its end
      const Status status = lane.decode(shape, cut, decoded);
      ASSERT_FALSE(status) << size << " of " << stream.size() << " bytes";
      EXPECT_TRUE(status.error().error_class == ErrorClass::kCodec) << describe(status.error());
    }
    Bytes longer = stream;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(lane.decode(shape, longer, decoded));
  }
}

// A changed bit is an error, or gives other pixels, and no decoder sees it otherwise than the plain one.
TEST(LaneStreams, FlippedBitsHarmNoDecoder) {
  std::mt19937 random(4);
  for (unsigned round = 0; round < 500; ++round) {
    const Shape shape = shape_of(1 + round % 70, 1 + static_cast<std::uint32_t>(random() % 140));
    Bytes stream = encode(shape, make_scan(shape, round % 7));
    const std::size_t reach = round % 2 == 0 ? std::min<std::size_t>(stream.size(), 300) : stream.size();
    for (unsigned flips = 1 + round % 3; flips > 0; --flips)
      stream[2 + random() % (reach - 2)] ^= std::byte{1} << random() % 8;
    const lane::Size size{shape.rows, shape.columns};
    const auto plain = lane::testing::decode_planes(stream, size, 1, lane::decode_reference);
    lane::testing::on_every_target([&] {
      const auto vectors = lane::testing::decode_planes(stream, size, 1, decode_in_vectors);
      ASSERT_EQ(plain.has_value(), vectors.has_value()) << "round " << round;
      if (plain)
        ASSERT_TRUE(*plain == *vectors) << "round " << round;
      else
        EXPECT_EQ(vectors.error().error_class, ErrorClass::kCodec) << describe(vectors.error());
    });
  }
}

TEST(LaneStreams, AnotherVersionIsUnsupportedAndUnknownFlagsAreErrors) {
  Lane lane;
  const Shape shape = shape_of(8, 8);
  const Bytes frame = make_scan(shape, 1), stream = encode(shape, frame);
  Bytes decoded(frame.size()), changed = stream;
  changed[0] = std::byte{lane::kVersion - 1};
  EXPECT_EQ(lane.decode(shape, changed, decoded).error().error_class, ErrorClass::kUnsupported);
  changed = stream;
  changed[1] = std::byte{1};  // colour, with one sample
  EXPECT_EQ(lane.decode(shape, changed, decoded).error().error_class, ErrorClass::kCodec);
  changed[1] = std::byte{2};
  EXPECT_EQ(lane.decode(shape, changed, decoded).error().error_class, ErrorClass::kCodec);
}

// Streams of version 3 that were written once: later versions of this library read them, too. With
// DICUBE_WRITE_GOLDEN set they are written instead.
TEST(LaneStreams, ReadsTheGoldenStreams) {
  struct Golden {
    const char* name;
    Shape shape;
    Bytes frame;
  };
  Shape colour = shape_of(24, 40, 8), is_signed = shape_of(70, 130);
  colour.samples = 3;
  colour.colour = true;
  is_signed.is_signed = true;
  const std::array goldens = {
      Golden{"scan-16", shape_of(96, 100), make_scan(shape_of(96, 100), 11)},
      Golden{"signed-16", is_signed, make_frame(is_signed, Kind::kSmooth, 12)},
      Golden{"colour-8", colour, make_scan(colour, 13)},
      Golden{"extremes-16", shape_of(20, 30), make_frame(shape_of(20, 30), Kind::kExtremes, 14)},
      Golden{"sparse-8", shape_of(40, 129, 8), make_frame(shape_of(40, 129, 8), Kind::kSparse, 15)},
      Golden{"constant-16", shape_of(300, 300), make_frame(shape_of(300, 300), Kind::kConstant, 16)}};
  for (const Golden& golden : goldens) {
    const std::string path = std::string(DICUBE_SOURCE_DIR "/tests/golden/lane-3-") + golden.name + ".lane";
    if (std::getenv("DICUBE_WRITE_GOLDEN") != nullptr) {
      const Bytes stream = encode(golden.shape, golden.frame);
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(stream.data()), static_cast<std::streamsize>(stream.size()));
    }
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file) << path;
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    Lane lane;
    Bytes decoded(golden.frame.size());
    const Status status = lane.decode(golden.shape, as_bytes(text), decoded);
    ASSERT_TRUE(status) << golden.name << ": " << describe(status.error());
    EXPECT_TRUE(same_bytes(decoded, golden.frame)) << golden.name;
  }
}

}  // namespace
}  // namespace dicube::codec
