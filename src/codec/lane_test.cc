// The lane codec gives every frame back on every vector unit, agrees with its reference decoder, and refuses what is
// malformed.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstring>
#include <iterator>
#include <random>

#include "codec/lane.h"
#include "codec/lane_encoder.h"
#include "codec/lane_reference.h"
#include "codec/lane_simd.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;
using testing::make_frame;

constexpr std::array<Kind, testing::kKinds> kAllKinds = {Kind::kConstant, Kind::kLeast,        Kind::kMost,
                                                         Kind::kRamp,     Kind::kCheckerboard, Kind::kExtremes,
                                                         Kind::kNoise,    Kind::kSmooth,       Kind::kSparse};

Shape shape_of(std::uint32_t rows, std::uint32_t columns, unsigned bits = 16, bool is_signed = false,
               std::uint16_t samples = 1) {
  Shape shape;
  shape.rows = rows;
  shape.columns = columns;
  shape.bits = static_cast<std::uint8_t>(bits);
  shape.is_signed = is_signed;
  shape.samples = samples;
  shape.colour = samples == 3;
  return shape;
}

Bytes encoded(const Shape& shape, ByteSpan frame) {
  Lane lane;
  Bytes stream;
  const Status done = lane.encode(shape, frame, stream);
  EXPECT_TRUE(done.has_value()) << describe(done.error());
  return stream;
}

void expect_round_trip(const Shape& shape, const Bytes& frame) {
  const Bytes stream = encoded(shape, frame);
  Lane lane;
  Bytes decoded(frame.size(), std::byte{0xA5});
  const Status done = lane.decode(shape, stream, decoded);
  ASSERT_TRUE(done.has_value()) << describe(done.error()) << testing::describe(shape);
  ASSERT_TRUE(decoded == frame) << testing::describe(shape);
  EXPECT_TRUE(Lane::check_size(shape, stream).has_value());
}

// Runs `work` once with every vector unit that this machine has.
template <class Work>
void on_every_target(Work work) {
  const std::int64_t all = hwy::SupportedTargets();
  for (std::int64_t rest = all; rest != 0; rest &= rest - 1) {
    const std::int64_t target = rest & -rest;
    hwy::SetSupportedTargetsForTest(target);
    SCOPED_TRACE(hwy::TargetName(target));
    work();
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(Lane, GivesBackFramesOfEverySizeAndContent) {
  constexpr std::array<std::array<std::uint32_t, 2>, 18> kSizes = {{{1, 1},
                                                                    {1, 2},
                                                                    {2, 1},
                                                                    {1, 300},
                                                                    {300, 1},
                                                                    {2, 2},
                                                                    {3, 5},
                                                                    {5, 3},
                                                                    {8, 8},
                                                                    {17, 16},
                                                                    {33, 63},
                                                                    {64, 64},
                                                                    {65, 65},
                                                                    {32, 127},
                                                                    {100, 128},
                                                                    {70, 129},
                                                                    {40, 257},
                                                                    {129, 96}}};
  for (const auto& [rows, columns] : kSizes)
    for (Kind kind : kAllKinds)
      for (unsigned bits : {8U, 16U})
        for (bool is_signed : {false, true}) {
          const Shape shape = shape_of(rows, columns, bits, is_signed);
          expect_round_trip(shape, make_frame(shape, kind, rows * columns));
          ASSERT_FALSE(HasFatalFailure());
        }
}

TEST(Lane, GivesBackColourInterleavedAndPlanar) {
  for (Kind kind : kAllKinds)
    for (unsigned bits : {8U, 16U})
      for (bool planar : {false, true})
        for (bool colour : {false, true}) {
          Shape shape = shape_of(37, 70, bits, false, 3);
          shape.planar = planar;
          shape.colour = colour;
          expect_round_trip(shape, make_frame(shape, kind, 3));
        }
}

TEST(Lane, GivesBackFramesThatDifferInOnePixel) {
  const Shape shape = shape_of(48, 100);
  for (std::size_t at :
       {std::size_t{0}, std::size_t{1}, std::size_t{99}, std::size_t{100}, std::size_t{4799}, std::size_t{2500}}) {
    Bytes frame = make_frame(shape, Kind::kConstant, 1);
    frame[2 * at + 1] = std::byte{0xFF};
    expect_round_trip(shape, frame);
  }
}

TEST(Lane, GivesBackFramesAtTheEdgesOfItsParameters) {
  for (unsigned amplitude : {300U, 1000U, 3000U, 20000U, 65535U}) {  // low bits, escapes, the widest range
    const Shape shape = shape_of(70, 200);
    Bytes frame = make_frame(shape, Kind::kNoise, amplitude);
    for (std::size_t i = 0; i < frame.size(); i += 2)
      store_le(&frame[i], static_cast<std::uint16_t>(load_le<std::uint16_t>(&frame[i]) % (amplitude + 1)));
    expect_round_trip(shape, frame);
  }
  expect_round_trip(shape_of(1, 65535, 8), make_frame(shape_of(1, 65535, 8), Kind::kSmooth, 1));
  expect_round_trip(shape_of(65535, 1, 8), make_frame(shape_of(65535, 1, 8), Kind::kSmooth, 1));
  expect_round_trip(shape_of(400, 400), make_frame(shape_of(400, 400), Kind::kSmooth, 1));  // 128 lanes
}

TEST(Lane, MakesTheSameStreamAndTheSameFrameOnEveryVectorUnit) {
  const Shape shape = shape_of(150, 333);
  for (Kind kind : {Kind::kSmooth, Kind::kNoise, Kind::kSparse}) {
    const Bytes frame = make_frame(shape, kind, 5);
    const Bytes expected = encoded(shape, frame);
    on_every_target([&] {
      EXPECT_TRUE(encoded(shape, frame) == expected);
      expect_round_trip(shape, frame);
    });
  }
}

TEST(Lane, DecodesAsTheReferenceDoes) {
  const lane::Size size{90, 210};
  for (int seed = 0; seed < 6; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<std::uint16_t> values(size.pixels());
    const int noise = 1 << (2 * seed);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<std::uint16_t>((i % size.columns) * 3 + i / size.columns +
                                             random() % static_cast<unsigned>(noise));
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    lane::PlaneEncoder encoder;
    ByteWriter out;
    encoder.encode(values, size, *low, *high, out);
    const Bytes stream = out.take();
    ByteReader in(stream, "test");
    const auto plane = lane::read_plane(in);
    ASSERT_TRUE(plane.has_value());
    const auto coded = lane::read_coded(*plane, size, in);
    ASSERT_TRUE(coded.has_value());
    std::vector<std::uint16_t> reference(size.pixels());
    const auto done = lane::decode_reference(*plane, size, *coded, reference.data());
    ASSERT_TRUE(done.has_value()) << describe(done.error());
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(reference[i], static_cast<std::uint16_t>(values[i])) << i;
    on_every_target([&] {
      lane::RowBuffers buffers;
      std::vector<std::uint16_t> vectors(size.pixels());
      ASSERT_TRUE(lane::decode_vectors(*plane, size, *coded, buffers, vectors.data()).has_value());
      EXPECT_TRUE(vectors == reference);
    });
  }
}

// Noise of `amplitude` values in an ellipse, `left` and `right` in front of and behind the middle around it, and a few
// pixels of other values: what decoders may fill in at once, and where they must not.
std::vector<std::uint16_t> with_background(lane::Size size, unsigned amplitude, std::uint16_t left,
                                           std::uint16_t right) {
  std::mt19937 random(amplitude);
  std::vector<std::uint16_t> values(size.pixels());
  for (std::uint32_t y = 0; y < size.rows; ++y)
    for (std::uint32_t x = 0; x < size.columns; ++x) {
      const double u = 2.0 * x / size.columns - 1, v = 2.0 * y / size.rows - 1;
      auto& value = values[std::size_t{y} * size.columns + x];
      value = 2 * x < size.columns ? left : right;
      if (u * u + v * v < 0.5 || random() % 9973 == 0) value = static_cast<std::uint16_t>(random() % amplitude);
    }
  return values;
}

TEST(Lane, GivesBackBackgroundsAroundWhatIsThere) {
  const lane::Size size{150, 420};
  for (const unsigned amplitude : {50U, 4000U, 65536U})
    for (const auto& [left, right] : {std::pair{0, 0}, {0, 49}, {20, 21}, {0, 65535}, {65535, 65535}}) {
      const auto values =
          with_background(size, amplitude, static_cast<std::uint16_t>(left), static_cast<std::uint16_t>(right));
      for (const unsigned bits : {8U, 16U}) {
        const Shape shape = shape_of(size.rows, size.columns, bits);
        Bytes frame(values.size() * bits / 8);
        for (std::size_t i = 0; i < values.size(); ++i)
          std::memcpy(&frame[i * bits / 8], &values[i], bits / 8);  // of 8 bits, the lower ones
        on_every_target([&] { expect_round_trip(shape, frame); });
      }
    }
}

TEST(Lane, DecodesBackgroundsAsTheReferenceDoesWhereTheyAreBeyondTheValuesSaidToBeThere) {
  const lane::Size size{100, 300};
  for (const unsigned amplitude : {50U, 4000U, 65536U}) {
    const auto values = with_background(size, amplitude, 0, static_cast<std::uint16_t>(amplitude - 1));
    lane::PlaneEncoder encoder;
    ByteWriter out;
    encoder.encode(values, size, 0, static_cast<std::int32_t>(amplitude - 1), out);
    const Bytes stream = out.take();
    ByteReader in(stream, "test");
    auto plane = lane::read_plane(in).value();
    const auto coded = lane::read_coded(plane, size, in).value();
    for (const auto range : {plane.range, static_cast<std::uint16_t>(plane.range / 2), std::uint16_t{1}}) {
      plane.range = range;
      std::vector<std::uint16_t> reference(size.pixels());
      ASSERT_TRUE(lane::decode_reference(plane, size, coded, reference.data()).has_value());
      EXPECT_EQ(reference == values, range == amplitude - 1);
      on_every_target([&] {
        lane::RowBuffers buffers;
        std::vector<std::uint16_t> vectors(size.pixels());
        ASSERT_TRUE(lane::decode_vectors(plane, size, coded, buffers, vectors.data()).has_value());
        EXPECT_TRUE(vectors == reference);
      });
    }
  }
}

TEST(Lane, RefusesStreamsCutAtAnyByteAndBytesBehindTheEnd) {
  const Shape shape = shape_of(20, 40);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  Bytes stream = encoded(shape, frame);
  Lane lane;
  Bytes decoded(frame.size());
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const auto done = lane.decode(shape, ByteSpan(stream).first(size), decoded);
    ASSERT_FALSE(done.has_value()) << size;
    ASSERT_EQ(done.error().error_class, ErrorClass::kCodec) << size;
  }
  stream.push_back({});
  EXPECT_FALSE(lane.decode(shape, stream, decoded).has_value());
}

TEST(Lane, DecodesFlippedBitsToOtherValuesOrSaysThatTheStreamIsNoGood) {
  const Shape shape = shape_of(30, 150);
  const Bytes stream = encoded(shape, make_frame(shape, Kind::kSmooth, 2));
  Lane lane;
  Bytes decoded(frame_bytes(shape).value());
  for (std::size_t bit = 0; bit < 8 * stream.size(); bit += bit < 3000 ? 1 : 7) {
    Bytes damaged = stream;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    const Status done = lane.decode(shape, damaged, decoded);
    EXPECT_TRUE(done || done.error().error_class == ErrorClass::kCodec ||
                done.error().error_class == ErrorClass::kUnsupported)
        << "bit " << bit << ": " << describe(done.error());
  }
}

TEST(Lane, RefusesShapesThatItDoesNotHold) {
  Lane lane;
  Bytes out;
  for (const Shape& shape :
       {shape_of(4, 4, 32), shape_of(4, 4, 64), shape_of(4, 4, 16, false, 2), shape_of(65536, 1, 8)}) {
    const auto done = lane.encode(shape, Bytes(frame_bytes(shape).value()), out);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().error_class, ErrorClass::kUnsupported);
    EXPECT_TRUE(out.empty());
  }
}

// An encoder that makes other choices brings other fingerprints.
TEST(Lane, MakesTheSameBytesOnEveryMachine) {
  struct Golden {
    Shape shape;
    Kind kind;
    std::uint64_t fingerprint;
  };
  const Golden goldens[] = {{shape_of(64, 64), Kind::kSmooth, 0x5984D5D68E8131E7},
                            {shape_of(130, 1100, 16, true), Kind::kSmooth, 0x90B4D0969AEAA470},
                            {shape_of(50, 70, 8, false, 3), Kind::kSmooth, 0xB9DD8B2C50265308},
                            {shape_of(90, 90), Kind::kNoise, 0x984B651CD5F85465},
                            {shape_of(64, 200), Kind::kSparse, 0x8516B5B4B118CC32}};
  for (const Golden& golden : goldens)
    EXPECT_EQ(testing::fingerprint(encoded(golden.shape, make_frame(golden.shape, golden.kind, 11))),
              golden.fingerprint);
}

}  // namespace
}  // namespace dicube::codec
