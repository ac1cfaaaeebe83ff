#include "codec/codec.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;
using testing::make_frame;

constexpr std::array kCodecs = {CodecId::kStored, CodecId::kZstd, CodecId::kHtj2k};

void expect_round_trip(Workspace& work, CodecId codec, const Shape& shape, const Bytes& pixels) {
  Bytes stream;
  const Status encoded = work.encode(codec, shape, pixels, stream);
  ASSERT_TRUE(encoded) << describe(encoded.error()) << testing::describe(shape);
  Bytes decoded(pixels.size(), std::byte{0x5A});
  const Status status = work.decode(codec, shape, stream, decoded);
  ASSERT_TRUE(status) << describe(status.error()) << testing::describe(shape);
  ASSERT_TRUE(same_bytes(decoded, pixels)) << name(codec) << testing::describe(shape);
}

Shape square(std::uint32_t side) {
  Shape shape;
  shape.rows = shape.columns = side;
  return shape;
}

// The frame with its values cut to so many bits.
Bytes cut_to(const Shape& shape, Bytes frame, unsigned bits) {
  const std::size_t width = shape.bits / 8U;
  for (std::size_t at = 0; at < frame.size(); at += width) {
    std::uint64_t value = 0;
    for (std::size_t b = 0; b < width; ++b) value |= std::to_integer<std::uint64_t>(frame[at + b]) << 8 * b;
    value &= (std::uint64_t{1} << bits) - 1;
    if (shape.is_signed && (value >> (bits - 1) & 1) != 0) value |= ~std::uint64_t{0} << bits;
    for (std::size_t b = 0; b < width; ++b) frame[at + b] = static_cast<std::byte>(value >> 8 * b);
  }
  return frame;
}

TEST(Codec, EveryCodecGivesBackEveryShapeWithOneWorkspace) {
  Workspace work;
  std::mt19937 random(1);
  for (unsigned round = 0; round < 4000; ++round) {
    const CodecId codec = kCodecs[random() % kCodecs.size()];
    Shape shape;
    const unsigned most = round % 50 == 0 ? 400 : 70;
    shape.rows = 1 + static_cast<std::uint32_t>(random() % most);
    shape.columns = 1 + static_cast<std::uint32_t>(random() % most);
    shape.bits = static_cast<std::uint8_t>(codec == CodecId::kHtj2k ? 8U << random() % 2 : 8U << random() % 4);
    shape.samples = static_cast<std::uint16_t>(1 + random() % 4);
    shape.is_signed = random() % 2 != 0;
    shape.planar = random() % 2 != 0;
    shape.colour = random() % 2 != 0;
    const auto kind = static_cast<Kind>(random() % testing::kKinds);
    ASSERT_NO_FATAL_FAILURE(expect_round_trip(work, codec, shape, make_frame(shape, kind, round)));
  }
}

TEST(Codec, Htj2kGivesBackEverySquareFromOneToSeventy) {
  Workspace work;
  for (std::uint32_t side = 1; side <= 70; ++side)
    for (unsigned kind = 0; kind < testing::kKinds; ++kind) {
      Shape shape = square(side);
      shape.is_signed = kind % 2 != 0;
      ASSERT_NO_FATAL_FAILURE(
          expect_round_trip(work, CodecId::kHtj2k, shape, make_frame(shape, static_cast<Kind>(kind), side)));
    }
}

TEST(Codec, Htj2kGivesBackEveryPrecisionOfEverySign) {
  Workspace work;
  for (unsigned bits = 1; bits <= 32; ++bits)
    for (unsigned variant = 0; variant < 4; ++variant)
      for (unsigned kind = 0; kind < testing::kKinds; ++kind) {
        Shape shape = square(variant == 1 ? 150 : 21);
        shape.bits = static_cast<std::uint8_t>(bits <= 8 ? 8 : bits <= 16 ? 16 : 32);
        shape.is_signed = variant % 2 != 0;
        shape.samples = variant < 2 ? 1 : 3;
        shape.colour = true;
        const Bytes frame = cut_to(shape, make_frame(shape, static_cast<Kind>(kind), bits), bits);
        if (!shape.is_signed && needed_precision(shape, frame) > 31) continue;
        ASSERT_NO_FATAL_FAILURE(expect_round_trip(work, CodecId::kHtj2k, shape, frame));
        shape.precision = static_cast<std::uint8_t>(bits);
        ASSERT_NO_FATAL_FAILURE(expect_round_trip(work, CodecId::kHtj2k, shape, frame));
      }
}

TEST(Codec, Htj2kGivesBackLongNarrowAndLargeFrames) {
  Workspace work;
  for (auto [rows, columns] :
       {std::pair{1U, 5000U}, {5000U, 1U}, {2U, 3000U}, {3000U, 3U}, {65U, 2049U}, {1025U, 1027U}}) {
    Shape shape;
    shape.rows = rows;
    shape.columns = columns;
    for (Kind kind : {Kind::kSmooth, Kind::kExtremes})
      ASSERT_NO_FATAL_FAILURE(expect_round_trip(work, CodecId::kHtj2k, shape, make_frame(shape, kind, rows)));
  }
}

TEST(Codec, ZstdAndStoredGiveBackPackedBitsAndEmptyFrames) {
  Workspace work;
  for (CodecId codec : {CodecId::kStored, CodecId::kZstd})
    for (auto [rows, columns, samples] :
         {std::array{0U, 5U, 1U}, {5U, 0U, 1U}, {3U, 3U, 0U}, {13U, 7U, 1U}, {64U, 64U, 3U}})
      for (unsigned bits : {1U, 8U, 16U, 32U, 64U}) {
        Shape shape;
        shape.rows = rows;
        shape.columns = columns;
        shape.samples = static_cast<std::uint16_t>(samples);
        shape.bits = static_cast<std::uint8_t>(bits);
        ASSERT_NO_FATAL_FAILURE(expect_round_trip(work, codec, shape, make_frame(shape, Kind::kNoise, rows)));
      }
}

TEST(Codec, WhatHtj2kDoesNotHoldIsUnsupportedAndLeavesTheOutputAlone) {
  Workspace work;
  Shape bits = square(4), samples = square(4), empty = square(0), wide = square(4), odd = square(4);
  bits.bits = 1;
  samples.samples = 5;
  wide.bits = 32;
  odd.bits = 12;
  for (const Shape& shape : {bits, samples, empty, wide, odd}) {
    const Bytes frame(frame_bytes(shape).value(), std::byte{0xFF});  // over 31 bits in the wide one
    Bytes out(3, std::byte{7});
    const Status status = work.encode(CodecId::kHtj2k, shape, frame, out);
    ASSERT_FALSE(status) << testing::describe(shape);
    EXPECT_EQ(status.error().error_class, ErrorClass::kUnsupported) << status.error().message;
    EXPECT_EQ(out, Bytes(3, std::byte{7}));
  }
}

TEST(Codec, EncodingAppendsAndDependsOnItsArgumentsAlone) {
  Workspace used, fresh;
  Shape shape = square(90);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 3);
  for (CodecId codec : kCodecs) {
    Bytes first(1, std::byte{9}), second;
    ASSERT_TRUE(used.encode(codec, square(33), make_frame(square(33), Kind::kNoise, 1), second));
    ASSERT_TRUE(used.encode(codec, shape, frame, first));
    second.clear();
    ASSERT_TRUE(fresh.encode(codec, shape, frame, second));
    EXPECT_EQ(first[0], std::byte{9});
    EXPECT_TRUE(same_bytes(ByteSpan(first).subspan(1), second)) << name(codec);
  }
}

TEST(Codec, AMovedWorkspaceWorksOn) {
  Workspace first;
  const Shape shape = square(20);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  expect_round_trip(first, CodecId::kHtj2k, shape, frame);
  Workspace second = std::move(first);
  expect_round_trip(second, CodecId::kHtj2k, shape, frame);
  second = Workspace();
  expect_round_trip(second, CodecId::kZstd, shape, frame);
}

TEST(Codec, PixelsOfAnotherSizeThanTheShapeAreTheCallersError) {
  Workspace work;
  Bytes out, pixels(31);
  for (CodecId codec : kCodecs) {
    const Status encoded = work.encode(codec, square(4), pixels, out);
    ASSERT_FALSE(encoded);
    EXPECT_EQ(encoded.error().error_class, ErrorClass::kUsage);
    EXPECT_NE(encoded.error().message.find("31"), std::string::npos) << encoded.error().message;
    EXPECT_NE(encoded.error().message.find("32"), std::string::npos) << encoded.error().message;
    EXPECT_FALSE(work.decode(codec, square(4), out, pixels));
  }
}

TEST(Codec, AnUnknownCodecIsUnsupported) {
  Workspace work;
  Bytes out, pixels(2);
  const auto unknown = static_cast<CodecId>(200);
  EXPECT_EQ(work.encode(unknown, square(1), pixels, out).error().error_class, ErrorClass::kUnsupported);
  EXPECT_EQ(work.decode(unknown, square(1), out, pixels).error().error_class, ErrorClass::kUnsupported);
  EXPECT_EQ(name(unknown), "unknown");
}

TEST(Codec, NamesAndIdsBelongTogether) {
  EXPECT_EQ(name(CodecId::kHtj2k), "htj2k");
  EXPECT_EQ(static_cast<int>(CodecId::kStored), 0);
  EXPECT_EQ(static_cast<int>(CodecId::kZstd), 1);
  EXPECT_EQ(static_cast<int>(CodecId::kHtj2k), 2);
}

TEST(Shape, BytesOfAFrameAreCheckedForOverflow) {
  Shape shape = square(3);
  shape.bits = 1;
  EXPECT_EQ(frame_bytes(shape), 2);
  shape.bits = 16;
  EXPECT_EQ(frame_bytes(shape), 18);
  shape.rows = shape.columns = 0xFFFFFFFF;
  shape.bits = 1;
  EXPECT_EQ(frame_bytes(shape), 0x1FFFFFFFC0000001);
  shape.samples = 2;
  EXPECT_EQ(frame_bytes(shape), std::nullopt);
  shape.samples = 0xFFFF;
  shape.bits = 64;
  EXPECT_EQ(frame_bytes(shape), std::nullopt);
}

TEST(Shape, ReducingRoundsUpAndEndsAtOnePixel) {
  Shape shape = square(5);
  EXPECT_EQ(reduced(shape, 1).rows, 3U);
  EXPECT_EQ(reduced(shape, 2).rows, 2U);
  EXPECT_EQ(reduced(shape, 31).rows, 1U);
  EXPECT_EQ(reduced(shape, 4000).columns, 1U);
  shape.rows = 0xFFFFFFFF;
  EXPECT_EQ(reduced(shape, 1).rows, 0x80000000U);
  EXPECT_EQ(reduced(square(0), 3).rows, 0U);
}

TEST(Shape, PrecisionIsTheFewestBitsThatHoldEveryValue) {
  const auto precision = [](bool is_signed, unsigned bits, std::int64_t value) {
    Shape shape = square(9);
    shape.is_signed = is_signed;
    shape.bits = static_cast<std::uint8_t>(bits);
    Bytes frame(frame_bytes(shape).value());
    for (unsigned b = 0; b < bits / 8; ++b) frame[frame.size() - bits / 8 + b] = static_cast<std::byte>(value >> 8 * b);
    return static_cast<int>(needed_precision(shape, frame));
  };
  for (unsigned bits : {8U, 16U, 32U}) {
    EXPECT_EQ(precision(false, bits, 0), 1);
    EXPECT_EQ(precision(true, bits, 0), 1);
    EXPECT_EQ(precision(true, bits, -1), 1);
    EXPECT_EQ(precision(true, bits, 1), 2);
    EXPECT_EQ(precision(false, bits, 1), 1);
    EXPECT_EQ(precision(false, bits, 64), 7);
    EXPECT_EQ(precision(true, bits, -64), 7);
    EXPECT_EQ(precision(true, bits, 64), 8);
    EXPECT_EQ(precision(true, bits, -65), 8);
    EXPECT_EQ(precision(false, bits, (std::int64_t{1} << bits) - 1), static_cast<int>(bits));
    EXPECT_EQ(precision(true, bits, -(std::int64_t{1} << (bits - 1))), static_cast<int>(bits));
  }
}

TEST(Shape, CodecsWithoutLevelsReduceByThinningOut) {
  Workspace work;
  for (CodecId codec : {CodecId::kStored, CodecId::kZstd})
    for (bool planar : {false, true})
      for (unsigned bits : {1U, 16U}) {
        Shape shape;
        shape.rows = 7;
        shape.columns = 11;
        shape.samples = 3;
        shape.planar = planar;
        shape.bits = static_cast<std::uint8_t>(bits);
        const Bytes frame = make_frame(shape, Kind::kNoise, 4);
        Bytes stream;
        ASSERT_TRUE(work.encode(codec, shape, frame, stream));
        const Shape half = reduced(shape, 1);
        Bytes small(frame_bytes(half).value(), std::byte{0xFF});
        ASSERT_TRUE(work.decode_reduced(codec, shape, stream, 1, small));
        const auto bit = [](ByteSpan bytes, std::size_t at) { return bytes[at / 8] >> at % 8 & std::byte{1}; };
        for (std::size_t y = 0; y < half.rows; ++y)
          for (std::size_t x = 0; x < half.columns; ++x)
            for (std::size_t s = 0; s < 3; ++s) {
              const std::size_t to = planar ? (s * half.rows + y) * half.columns + x : (y * half.columns + x) * 3 + s;
              const std::size_t from = planar ? (s * 7 + 2 * y) * 11 + 2 * x : (2 * y * 11 + 2 * x) * 3 + s;
              if (bits == 1) {
                ASSERT_EQ(bit(small, to), bit(frame, from));
              } else {
                ASSERT_EQ(load_le<std::uint16_t>(&small[2 * to]), load_le<std::uint16_t>(&frame[2 * from]));
              }
            }
        Bytes one(frame_bytes(reduced(shape, 90)).value());
        EXPECT_TRUE(work.decode_reduced(codec, shape, stream, 90, one));
      }
}

TEST(Shape, AStoredFrameOfAnotherSizeIsACodecError) {
  Workspace work;
  Bytes pixels(32);
  const Status status = work.decode(CodecId::kStored, square(4), Bytes(31), pixels);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().error_class, ErrorClass::kCodec);
  EXPECT_EQ(status.error().message, "a stored frame of 31 bytes, 32 expected");
}

}  // namespace
}  // namespace dicube::codec
