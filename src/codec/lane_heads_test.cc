// Small frames of a series have lane streams that begin alike.
#include <gtest/gtest.h>

#include <random>

#include "codec/lane.h"
#include "codec/lane_targets_testing.h"
#include "codec/lane_testing.h"

namespace dicube::codec {
namespace {

Shape shape_of(std::uint32_t rows, std::uint32_t columns, unsigned bits, bool is_signed) {
  Shape shape;
  shape.rows = rows;
  shape.columns = columns;
  shape.bits = static_cast<std::uint8_t>(bits);
  shape.is_signed = is_signed;
  return shape;
}

void put(const Shape& shape, int value, Bytes& frame) {
  for (unsigned shift = 0; shift < shape.bits; shift += 8) frame.push_back(static_cast<std::byte>(value >> shift));
}

// A hill with noise on a dark ground, of a brightness up to `bright`, as slices of a small matrix are.
Bytes slice(const Shape& shape, int number, int bright) {
  std::mt19937 random(static_cast<unsigned>(number));
  const int rows = static_cast<int>(shape.rows), columns = static_cast<int>(shape.columns), least = -bright / 4;
  Bytes frame;
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x) {
      const int dy = 2 * y - rows, dx = 2 * x - columns,
                noise = static_cast<int>(random() % static_cast<unsigned>(9 + bright / 100));
      const int across = (rows - number) * columns / 2, height = std::max(0, across - dy * dy - dx * dx);
      put(shape, std::min(bright, height * bright / across + noise) + (shape.is_signed ? least : 0), frame);
    }
  return frame;
}

std::vector<Bytes> series(const Shape& shape, int count, int bright) {
  std::vector<Bytes> frames;
  for (int i = 0; i < count; ++i) frames.push_back(slice(shape, i, bright));
  return frames;
}

Bytes head_of(const Shape& shape, const std::vector<Bytes>& frames) {
  return Lane().shared_head(shape, std::vector<ByteSpan>(frames.begin(), frames.end()));
}

TEST(FramesThatShareAHead, BeginWithItAndComeBackOnEveryTarget) {
  struct Case {
    Shape shape;
    int bright;
  };
  for (const Case& of : {Case{shape_of(64, 64, 16, false), 1500}, Case{shape_of(64, 64, 16, true), 1500},
                         Case{shape_of(90, 96, 16, false), 60000}, Case{shape_of(128, 128, 16, true), 120},
                         Case{shape_of(70, 33, 8, false), 200}, Case{shape_of(48, 60, 8, true), 90}}) {
    const Shape& shape = of.shape;
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.columns << ", " << int{shape.bits} << " bits");
    const std::vector<Bytes> frames = series(shape, 12, of.bright);
    const Bytes head = head_of(shape, frames);
    ASSERT_FALSE(head.empty());
    lane::testing::on_every_target([&] {
      Lane lane;
      for (const Bytes& frame : frames) {
        Bytes stream, pixels(frame.size());
        ASSERT_TRUE(lane.encode_headed(shape, head, frame, stream));
        ASSERT_TRUE(same_bytes(ByteSpan(stream).first(head.size()), head));
        ASSERT_TRUE(Lane::check_size(shape, stream));
        ASSERT_TRUE(lane.decode(shape, stream, pixels));
        ASSERT_TRUE(same_bytes(pixels, frame));
        const auto plain = lane::testing::decode_planes(stream, {shape.rows, shape.columns}, 1, lane::decode_reference);
        ASSERT_TRUE(plain.has_value());
      }
    });
  }
}

TEST(FramesThatShareAHead, TakeFewerBytesThanAlone) {
  const Shape shape = shape_of(64, 64, 16, false);
  const std::vector<Bytes> frames = series(shape, 20, 1500);
  const Bytes head = head_of(shape, frames);
  Lane lane;
  std::size_t alone = 0, shared = head.size();
  for (const Bytes& frame : frames) {
    Bytes own, headed;
    ASSERT_TRUE(lane.encode(shape, frame, own) && lane.encode_headed(shape, head, frame, headed));
    alone += own.size();
    shared += headed.size() - head.size();
  }
  EXPECT_LT(shared + 50 * frames.size(), alone);
}

TEST(FramesThatShareAHead, AreCodedAfterReferencesToo) {
  const Shape shape = shape_of(64, 64, 16, true);
  const std::vector<Bytes> slices = series(shape, 13, 1500);
  std::vector<Bytes> frames;  // each is much like the one before
  for (std::size_t i = 0; i < slices.size(); ++i) {
    frames.push_back(slices[0]);
    for (std::size_t at = 0; at < frames[i].size(); at += 2 * (i + 7)) frames[i][at] ^= std::byte{3};
  }
  const std::vector<ByteSpan> successors(frames.begin() + 1, frames.end()),
      references(frames.begin(), frames.end() - 1);
  Lane lane;
  const Bytes head = lane.shared_head(shape, successors, references);
  ASSERT_FALSE(head.empty());
  for (std::size_t i = 0; i < successors.size(); ++i) {
    Bytes stream, pixels(successors[i].size()), unchanged(1);
    ASSERT_TRUE(lane.encode_headed(shape, head, successors[i], stream, references[i]));
    ASSERT_TRUE(same_bytes(ByteSpan(stream).first(head.size()), head));
    ASSERT_TRUE(lane.decode_after(shape, references[i], stream, pixels));
    ASSERT_TRUE(same_bytes(pixels, successors[i]));
    EXPECT_FALSE(lane.encode_headed(shape, head, successors[i], unchanged));
    EXPECT_EQ(unchanged.size(), 1U);
  }
}

TEST(AHead, LeavesRoomForFramesThatAreSomewhatBrighter) {
  const Shape shape = shape_of(64, 64, 16, false);
  const Bytes head = head_of(shape, series(shape, 8, 1000));
  Bytes stream;
  EXPECT_TRUE(Lane().encode_headed(shape, head, slice(shape, 3, 1100), stream));
}

TEST(AHead, IsRefusedForFramesThatItDoesNotHold) {
  const Shape shape = shape_of(64, 64, 16, false);
  const Bytes head = head_of(shape, series(shape, 8, 1000));
  ASSERT_FALSE(head.empty());
  const auto refused = [&](const Shape& of, const Bytes& frame) {
    Bytes stream(3);
    const Status done = Lane().encode_headed(of, head, frame, stream);
    return !done && done.error().error_class == ErrorClass::kUnsupported && stream.size() == 3;
  };
  EXPECT_TRUE(refused(shape, slice(shape, 0, 9000)));                  // too bright
  EXPECT_TRUE(refused(shape, Bytes(shape.rows * shape.columns * 2)));  // of one value: a stream of its own has 9 bytes
  Shape colours = shape;
  colours.samples = 3;
  EXPECT_TRUE(refused(colours, Bytes(3 * shape.rows * shape.columns * 2)));
}

TEST(AHead, IsNotMadeWhereItSavesNothing) {
  const Shape small = shape_of(64, 64, 16, false), large = shape_of(256, 256, 16, false);
  EXPECT_TRUE(head_of(small, series(small, 3, 1000)).empty());                     // too few
  EXPECT_TRUE(head_of(large, series(large, 8, 1000)).empty());                     // their parameters are a small part
  EXPECT_TRUE(head_of(small, std::vector<Bytes>(8, Bytes(64 * 64 * 2))).empty());  // of one value
  std::vector<Bytes> unlike = series(small, 8, 40);
  for (std::size_t i = 0; i < unlike.size(); i += 2) {
    std::mt19937 random(static_cast<unsigned>(i));
    for (std::byte& byte : unlike[i]) byte = static_cast<std::byte>(random());
  }
  EXPECT_TRUE(head_of(small, unlike).empty());
  Shape colours = small;
  colours.samples = 3;
  EXPECT_TRUE(head_of(colours, std::vector<Bytes>(8, Bytes(3 * 64 * 64 * 2))).empty());
}

}  // namespace
}  // namespace dicube::codec
