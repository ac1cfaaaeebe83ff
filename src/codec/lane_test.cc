// The lane codec gives back frames of every size, of the edges of its parameters and with backgrounds.
#include <gtest/gtest.h>

#include <cstring>
#include <iterator>
#include <random>

#include "codec/lane.h"
#include "codec/lane_encoder.h"
#include "codec/lane_reference.h"
#include "codec/lane_simd.h"
#include "codec/lane_targets_testing.h"
#include "codec/lane_testing.h"
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

TEST(Lane, GivesBackFramesAtTheEdgesOfItsParameters) {
  for (unsigned amplitude : {300U, 1000U, 3000U, 20000U, 65535U}) {  // low bits, escapes, the widest range
    const Shape shape = shape_of(70, 200);
    Bytes frame = make_frame(shape, Kind::kNoise, amplitude);
    for (std::size_t i = 0; i < frame.size(); i += 2)
      store_le(&frame[i], static_cast<std::uint16_t>(load_le<std::uint16_t>(&frame[i]) % (amplitude + 1)));
    expect_round_trip(shape, frame);
  }
  expect_round_trip(shape_of(400, 400), make_frame(shape_of(400, 400), Kind::kSmooth, 1));  // 64 lanes
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
        lane::testing::on_every_target([&] { expect_round_trip(shape, frame); });
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
      lane::testing::on_every_target([&] {
        lane::RowBuffers buffers;
        std::vector<std::uint16_t> vectors(size.pixels());
        ASSERT_TRUE(lane::decode_vectors(plane, size, coded, buffers, vectors.data()).has_value());
        EXPECT_TRUE(vectors == reference);
      });
    }
  }
}

// An encoder that makes other choices brings other fingerprints.
TEST(Lane, MakesTheSameBytesOnEveryMachine) {
  struct Golden {
    Shape shape;
    Kind kind;
    std::uint64_t fingerprint;
  };
  const Golden goldens[] = {{shape_of(64, 64), Kind::kSmooth, 0x50D34C1909FD6E62},
                            {shape_of(130, 1100, 16, true), Kind::kSmooth, 0x6877C36EECCC3577},
                            {shape_of(50, 70, 8, false, 3), Kind::kSmooth, 0x07AE5C31C01244F1E},
                            {shape_of(90, 90), Kind::kNoise, 0xC796299991922FB0},
                            {shape_of(64, 200), Kind::kSparse, 0x31A7B14D266971C5}};
  lane::testing::on_every_target([&] {
    for (const Golden& golden : goldens)
      EXPECT_EQ(testing::fingerprint(encoded(golden.shape, make_frame(golden.shape, golden.kind, 11))),
                golden.fingerprint);
  });
}

}  // namespace
}  // namespace dicube::codec
