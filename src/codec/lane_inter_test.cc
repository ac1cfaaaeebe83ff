// Lane frames after a reference: they come back on every vector unit, as in the plain decoder, and malformed ones are
// refused.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "codec/lane.h"
#include "codec/lane_simd.h"
#include "codec/lane_targets_testing.h"
#include "codec/lane_testing.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;
using testing::make_frame;

struct Pair {
  Shape shape;
  Bytes reference, frame;
};

// Two slices of something: what they show differs a little, their noise is half the same.
Pair make_slices(std::uint32_t rows, std::uint32_t columns, unsigned bits, std::uint16_t samples, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Pair pair;
  pair.shape.rows = rows;
  pair.shape.columns = columns;
  pair.shape.bits = static_cast<std::uint8_t>(bits);
  pair.shape.samples = samples;
  pair.shape.colour = samples == 3;
  const unsigned noise = 1U << (1 + random() % (bits - 4));
  const std::size_t width = bits / 8, values = frame_bytes(pair.shape).value() / width;
  for (std::size_t i = 0; i < values; ++i) {
    const std::size_t x = i / samples % columns, y = i / samples / columns;
    const std::uint64_t common = x * y / 32 + random() % noise;
    for (Bytes* frame : {&pair.reference, &pair.frame}) {
      const std::uint64_t value =
          y < rows / 5 ? 0 : common + random() % noise + (x + y) % (frame == &pair.frame ? 7U : 5U);
      for (std::size_t b = 0; b < width; ++b) frame->push_back(static_cast<std::byte>(value >> 8 * b));
    }
  }
  return pair;
}

// Nothing where the reference doesn't promise to pay.
Bytes encode_after(const Pair& pair) {
  Lane lane;
  Bytes stream;
  const auto codec = lane.encode_after(pair.shape, pair.reference, pair.frame, stream);
  EXPECT_TRUE(codec.has_value()) << describe(codec.error());
  if (codec && *codec == CodecId::kLaneInter) return stream;
  Bytes alone;
  EXPECT_TRUE(lane.encode(pair.shape, pair.frame, alone));
  EXPECT_TRUE(same_bytes(stream, alone)) << "what has no use for its reference is coded as if there were none";
  return {};
}

lane::testing::Values reference_of(const Pair& pair) {  // of one sample
  lane::testing::Values values(std::size_t{pair.shape.rows} * pair.shape.columns);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::byte* from = &pair.reference[i * pair.shape.bits / 8];
    values[i] = pair.shape.bits == 8 ? std::to_integer<std::uint16_t>(*from) : load_le<std::uint16_t>(from);
  }
  return values;
}

Status in_vectors(const lane::Plane& plane, lane::Size size, const lane::Coded& coded, std::uint16_t* out,
                  const std::uint16_t* reference) {
  lane::RowBuffers buffers;
  return lane::decode_vectors(plane, size, coded, buffers, out, reference);
}

// The plain decoder and the vectors say the same of a stream; returns whether it can be decoded.
bool agree(const Pair& pair, ByteSpan stream) {
  const lane::Size size{pair.shape.rows, pair.shape.columns};
  const lane::testing::Values reference = reference_of(pair);
  const auto plain = lane::testing::decode_planes(stream, size, 1, lane::decode_reference, std::span(&reference, 1));
  const auto vectors = lane::testing::decode_planes(stream, size, 1, in_vectors, std::span(&reference, 1));
  EXPECT_EQ(plain.has_value(), vectors.has_value());
  if (plain && vectors) {
    EXPECT_TRUE(*plain == *vectors);
  }
  return plain.has_value();
}

void expect_round_trip(const Pair& pair, ByteSpan stream) {
  Lane lane;
  Bytes decoded(pair.frame.size(), std::byte{0xA5});
  const Status done = lane.decode_after(pair.shape, pair.reference, stream, decoded);
  ASSERT_TRUE(done) << describe(done.error()) << testing::describe(pair.shape);
  ASSERT_TRUE(decoded == pair.frame) << testing::describe(pair.shape);
  EXPECT_TRUE(Lane::check_size_after(pair.shape, stream));
}

TEST(LaneInter, FramesLikeTheirReferenceComeBackAndAreSmallerThanAlone) {
  std::mt19937 random(1);
  unsigned without = 0;  // a reference, which may hardly pay in a small frame
  for (unsigned round = 0; round < 60; ++round) {
    const auto side = [&] { return 30 + static_cast<std::uint32_t>(random() % (round % 10 == 0 ? 400 : 120)); };
    const Pair pair = make_slices(side(), side(), 8U << round % 2, round % 5 == 0 ? 3 : 1, round);
    const Bytes stream = encode_after(pair);
    if (stream.empty()) {
      ++without;
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(expect_round_trip(pair, stream)) << round;
    if (pair.shape.samples == 1) {
      EXPECT_TRUE(agree(pair, stream)) << round;
    }
    if (pair.frame.size() < 20000) continue;
    Lane lane;
    Bytes by_itself;
    ASSERT_TRUE(lane.encode(pair.shape, pair.frame, by_itself));
    EXPECT_LT(stream.size(), by_itself.size()) << round;
  }
  EXPECT_LE(without, 1U);
}

TEST(LaneInter, WhatIsPromisedSaysWhetherAReferenceIsUsed) {
  Lane lane;
  for (unsigned round = 0; round < 20; ++round) {
    Pair pair = make_slices(120, 100, 8U << round % 2, round % 5 == 0 ? 3 : 1, round);
    if (round % 4 == 1) std::reverse(pair.reference.begin(), pair.reference.end());
    const auto promise = lane.promise(pair.shape, pair.reference, pair.frame);
    ASSERT_TRUE(promise.has_value());
    EXPECT_GT(promise->alone, 0U);
    EXPECT_LE(promise->after, promise->alone);
    EXPECT_EQ(promise->after < promise->alone, !encode_after(pair).empty()) << round;
  }
  Pair same = make_slices(40, 40, 16, 1, 1);
  same.frame.assign(same.frame.size(), std::byte{7});
  EXPECT_EQ(lane.promise(same.shape, same.reference, same.frame).value().alone, 0U) << "one value takes no bits";
  same.reference.pop_back();
  EXPECT_FALSE(lane.promise(same.shape, same.reference, same.frame)) << "a reference of another size";
}

TEST(LaneInter, AnyReferenceOfTheShapeWillDo) {
  std::mt19937 random(2);
  for (unsigned round = 0; round < 300; ++round) {
    Pair pair;
    pair.shape.rows = 1 + static_cast<std::uint32_t>(random() % 70);
    pair.shape.columns = 1 + static_cast<std::uint32_t>(random() % 90);
    pair.shape.bits = static_cast<std::uint8_t>(8U << random() % 2);
    pair.shape.samples = random() % 4 == 0 ? 3 : 1;
    pair.shape.is_signed = random() % 2 != 0;
    pair.shape.planar = random() % 2 != 0;
    pair.shape.colour = random() % 2 != 0;
    pair.reference = make_frame(pair.shape, static_cast<Kind>(random() % testing::kKinds), round);
    pair.frame = random() % 3 == 0 ? pair.reference
                                   : make_frame(pair.shape, static_cast<Kind>(random() % testing::kKinds), round + 1);
    if (random() % 2 == 0) pair.frame[random() % pair.frame.size()] ^= std::byte{0x55};
    const Bytes stream = encode_after(pair);
    if (stream.empty()) continue;
    ASSERT_NO_FATAL_FAILURE(expect_round_trip(pair, stream)) << round;
  }
}

TEST(LaneInter, EveryTargetMakesAndReadsTheSameBytes) {
  for (const auto& [rows, columns, bits] :
       {std::tuple{70U, 200U, 16U}, {33U, 61U, 8U}, {150U, 1000U, 16U}, {64U, 64U, 16U}, {9U, 3000U, 16U}}) {
    const Pair pair = make_slices(rows, columns, bits, 1, rows);
    const Bytes stream = encode_after(pair);
    ASSERT_FALSE(stream.empty());
    lane::testing::on_every_target([&] {
      EXPECT_TRUE(same_bytes(encode_after(pair), stream));
      ASSERT_NO_FATAL_FAILURE(expect_round_trip(pair, stream));
    });
  }
}

// Whatever the correction is.
TEST(LaneInter, VectorsCorrectAsThePlainDecoderDoes) {
  std::mt19937 random(3);
  unsigned read = 0;
  for (unsigned round = 0; round < 400; ++round) {
    const Pair pair = make_slices(5 + static_cast<std::uint32_t>(random() % 40),
                                  1 + static_cast<std::uint32_t>(random() % 150), 16, 1, round % 20);
    const Bytes stream = encode_after(pair);
    if (stream.empty()) continue;
    ByteReader in(ByteSpan(stream).subspan(2), "test");
    lane::Plane plane = lane::read_plane(in, true).value();
    lane::Correction& correction = plane.correction.value();
    correction.lift = static_cast<std::uint8_t>(1 + random() % 8);
    correction.unrest_shift = static_cast<std::uint8_t>(random() % 16);
    for (std::int16_t& unrest : correction.unrest)
      if (random() % 2 == 0) unrest = static_cast<std::int16_t>(random() % 32768);
    for (auto& of_class : correction.coefficients)
      for (std::int8_t& coefficient : of_class)
        if (random() % 2 == 0) coefficient = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
    ByteWriter changed;
    changed.put_bytes(ByteSpan(stream).first(2));
    lane::write_plane(plane, changed);
    changed.put_bytes(ByteSpan(stream).last(in.left()));
    read += agree(pair, changed.take());
  }
  EXPECT_GT(read, 0U);
}

TEST(LaneInter, ValuesOfTheWholeRangeAreCorrectedAlike) {
  Pair pair = make_slices(40, 130, 16, 1, 5);
  const Bytes stream = encode_after(pair);
  ASSERT_FALSE(stream.empty());
  for (const Kind kind : {Kind::kExtremes, Kind::kNoise, Kind::kMost, Kind::kCheckerboard}) {
    pair.reference =
        make_frame(pair.shape, kind, 7);  // another one than the encoder's: contexts and corrections go wild
    agree(pair, stream);
  }
}

TEST(LaneInter, RefusesStreamsCutAtAnyByteAndBytesBehindTheEnd) {
  const Pair pair = make_slices(40, 40, 16, 1, 1);
  Bytes stream = encode_after(pair);
  ASSERT_FALSE(stream.empty());
  Lane lane;
  Bytes decoded(pair.frame.size());
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const auto done = lane.decode_after(pair.shape, pair.reference, ByteSpan(stream).first(size), decoded);
    ASSERT_FALSE(done) << size;
    ASSERT_EQ(done.error().error_class, ErrorClass::kCodec) << size;
  }
  stream.push_back({});
  EXPECT_FALSE(lane.decode_after(pair.shape, pair.reference, stream, decoded));
}

TEST(LaneInter, FlippedBitsAreSeenAlike) {
  const Pair pair = make_slices(30, 70, 16, 1, 2);
  const Bytes stream = encode_after(pair);
  ASSERT_FALSE(stream.empty());
  for (std::size_t bit = 16; bit < 8 * stream.size(); bit += bit < 1600 ? 3 : 41) {
    Bytes damaged = stream;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    agree(pair, damaged);
  }
}

TEST(LaneInter, AStreamSaysWhetherItHasAReference) {
  const Pair pair = make_slices(40, 40, 16, 1, 3);
  const Bytes stream = encode_after(pair);
  Lane lane;
  Bytes alone, decoded(pair.frame.size());
  ASSERT_TRUE(lane.encode(pair.shape, pair.frame, alone));
  EXPECT_EQ(lane.decode(pair.shape, stream, decoded).error().error_class, ErrorClass::kCodec);
  EXPECT_EQ(lane.decode_after(pair.shape, pair.reference, alone, decoded).error().error_class, ErrorClass::kCodec);
  EXPECT_EQ(lane.decode_after(pair.shape, ByteSpan(pair.reference).first(100), stream, decoded).error().error_class,
            ErrorClass::kUsage);
  EXPECT_FALSE(Lane::check_size(pair.shape, stream));
  EXPECT_FALSE(Lane::check_size_after(pair.shape, alone));
}

// A stream of version 3 that was written once. With DICUBE_WRITE_GOLDEN set it is written instead.
TEST(LaneInter, ReadsTheGoldenStream) {
  const Pair pair = make_slices(96, 100, 16, 1, 11);
  const std::string path = DICUBE_SOURCE_DIR "/tests/golden/lane-3-inter-16.lane";
  if (std::getenv("DICUBE_WRITE_GOLDEN") != nullptr) {
    const Bytes stream = encode_after(pair);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(stream.data()), static_cast<std::streamsize>(stream.size()));
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  expect_round_trip(pair, as_bytes(text));
  lane::testing::on_every_target([&] {
    EXPECT_EQ(testing::fingerprint(encode_after(pair)), 0x7DE485882BD491E0U)
        << "an encoder that makes other choices brings another one";
  });
}

}  // namespace
}  // namespace dicube::codec
