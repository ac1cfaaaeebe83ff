#include "codec/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;

void expect_round_trip(Workspace& work, CodecId codec, const Shape& shape, const Bytes& pixels) {
  Bytes stream;
  const Status encoded = work.encode(codec, shape, pixels, stream);
  ASSERT_TRUE(encoded) << describe(encoded.error()) << testing::describe(shape);
  Bytes decoded(pixels.size(), std::byte{0x5A});
  const Status status = work.decode(codec, shape, stream, decoded);
  ASSERT_TRUE(status) << describe(status.error()) << testing::describe(shape);
  ASSERT_TRUE(same_bytes(decoded, pixels)) << testing::describe(shape);
}

TEST(Codec, EveryCodecGivesBackEveryShape) {
  Workspace work;
  std::mt19937 random(1);
  for (CodecId codec : {CodecId::kStored, CodecId::kZstd, CodecId::kHtj2k})
    for (unsigned round = 0; round < 1500; ++round) {
      Shape shape;
      shape.rows = 1 + static_cast<std::uint32_t>(random() % 70);
      shape.columns = 1 + static_cast<std::uint32_t>(random() % 70);
      shape.bits = static_cast<std::uint8_t>(codec == CodecId::kHtj2k ? 8U << random() % 2 : 8U << random() % 4);
      shape.samples = static_cast<std::uint16_t>(1 + random() % 4);
      shape.is_signed = random() % 2 != 0;
      shape.planar = random() % 2 != 0;
      shape.colour = random() % 2 != 0;
      const auto kind = static_cast<Kind>(random() % testing::kKinds);
      ASSERT_NO_FATAL_FAILURE(expect_round_trip(work, codec, shape, testing::make_frame(shape, kind, round)));
    }
}

}  // namespace
}  // namespace dicube::codec
