#include <gtest/gtest.h>

#include <random>

#include "codec/codec.h"
#include "codec/foreign_testing.h"
#include "codec/htj2k_header.h"
#include "codec/htj2k_markers.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Foreign;
using testing::foreign_stream;
using testing::Kind;
using testing::make_frame;

Shape shape_of(std::uint32_t rows, std::uint32_t columns, unsigned bits = 16) {
  Shape shape;
  shape.rows = rows;
  shape.columns = columns;
  shape.bits = static_cast<std::uint8_t>(bits);
  return shape;
}

Bytes encoded(const Shape& shape, const Bytes& frame) {
  Workspace work;
  Bytes stream;
  const Status status = work.encode(CodecId::kHtj2k, shape, frame, stream);
  EXPECT_TRUE(status) << describe(status.error());
  return stream;
}

Status decode(const Shape& shape, ByteSpan stream, Bytes& pixels) {
  static Workspace work;  // errors must not spoil it
  pixels.resize(frame_bytes(shape).value());
  return work.decode(CodecId::kHtj2k, shape, stream, pixels);
}

// A reader of codestreams that shares nothing with the adapter's.
struct Parsed {
  std::uint32_t rows = 0, columns = 0;
  unsigned depth = 0, order = 99, levels = 99, wavelet = 99, colour = 99;
  std::vector<std::uint32_t> tlm, parts;
  bool comment = false, ended = false;
};

Parsed parse(ByteSpan stream) {
  Parsed out;
  const auto u8 = [&](std::size_t at) { return std::to_integer<unsigned>(stream[at]); };
  const auto u16 = [&](std::size_t at) { return u8(at) << 8 | u8(at + 1); };
  const auto u32 = [&](std::size_t at) { return u16(at) << 16 | u16(at + 2); };
  EXPECT_EQ(u16(0), 0xFF4FU);
  std::size_t at = 2;
  for (; u16(at) != 0xFF90; at += 2 + u16(at + 2)) {
    const std::size_t body = at + 4;
    if (u16(at) == 0xFF51) {
      out.columns = u32(body + 2);
      out.rows = u32(body + 6);
      out.depth = u8(body + 36);
    }
    if (u16(at) == 0xFF52) {
      out.order = u8(body + 1);
      out.colour = u8(body + 4);
      out.levels = u8(body + 5);
      out.wavelet = u8(body + 9);
    }
    if (u16(at) == 0xFF55)
      for (std::size_t i = body + 2; i < at + 2 + u16(at + 2); i += u8(body + 1) == 0x50 ? 5 : 3)
        out.tlm.push_back(u8(body + 1) == 0x50 ? u32(i + 1) : u16(i + 1));
    if (u16(at) == 0xFF64) out.comment = true;
  }
  for (; u16(at) == 0xFF90; at += out.parts.back()) {
    EXPECT_EQ(u8(at + 10), out.parts.size());
    EXPECT_EQ(u8(at + 11), out.levels + 1);
    out.parts.push_back(u32(at + 6));
  }
  out.ended = u16(at) == 0xFFD9 && at + 2 == stream.size();
  return out;
}

TEST(Htj2k, TheCodestreamIsWhatDicomAsksForInItsRpclSyntax) {
  for (auto [rows, columns] :
       {std::pair{1U, 1U}, {64U, 64U}, {512U, 512U}, {700U, 70U}, {2500U, 2048U}, {5000U, 4200U}})
    for (std::uint16_t samples : std::array<std::uint16_t, 2>{1, 3}) {
      if (rows > 2000 && samples == 3) continue;
      Shape shape = shape_of(rows, columns);
      shape.samples = samples;
      shape.colour = samples == 3;
      const Parsed stream = parse(encoded(shape, make_frame(shape, Kind::kSmooth, 1)));
      EXPECT_EQ(stream.rows, rows);
      EXPECT_EQ(stream.columns, columns);
      EXPECT_EQ(stream.order, 2U) << "RPCL";
      EXPECT_EQ(stream.wavelet, 1U) << "reversible 5/3";
      EXPECT_EQ(stream.colour, samples == 3 ? 1U : 0U);
      EXPECT_LE((std::min(rows, columns) + (1U << stream.levels) - 1) >> stream.levels, 64U);
      EXPECT_EQ(stream.parts.size(), stream.levels + 1);
      EXPECT_EQ(stream.tlm, stream.parts);
      EXPECT_TRUE(stream.ended);
      EXPECT_FALSE(stream.comment);
    }
}

TEST(Htj2k, ItsPrecisionIsThatOfTheValuesAndAtLeastTheHint) {
  Shape shape = shape_of(20, 20);
  Bytes frame(frame_bytes(shape).value());
  store_le<std::uint16_t>(&frame[8], 1500);
  EXPECT_EQ(parse(encoded(shape, frame)).depth, 10U);  // 11 bits, unsigned
  shape.precision = 12;
  EXPECT_EQ(parse(encoded(shape, frame)).depth, 11U);
  shape.precision = 9;  // too small a hint must not cost pixels
  EXPECT_EQ(parse(encoded(shape, frame)).depth, 10U);
  shape.precision = 0;
  shape.is_signed = true;
  EXPECT_EQ(parse(encoded(shape, frame)).depth, 0x80U | 11U);
}

TEST(Htj2k, SmallFramesSpendFewerBytesOnHeaders) {
  const Shape shape = shape_of(64, 64);
  Foreign usual;
  usual.order = "RPCL";
  usual.parts_at_resolutions = usual.tlm = true;
  for (Kind kind : {Kind::kConstant, Kind::kSparse, Kind::kSmooth}) {
    const Bytes frame = make_frame(shape, kind, 1);
    usual.precision = needed_precision(shape, frame);
    EXPECT_LT(encoded(shape, frame).size(), foreign_stream(shape, frame, usual).size());
  }
}

TEST(Htj2k, ForeignCodestreamsOfAllOrdersTilesBlocksAndOffsetsAreDecoded) {
  std::mt19937 random(3);
  for (const char* order : {"LRCP", "RLCP", "RPCL", "PCRL", "CPRL"})
    for (unsigned round = 0; round < 40; ++round) {
      Shape shape = shape_of(40 + static_cast<std::uint32_t>(random() % 90),
                             40 + static_cast<std::uint32_t>(random() % 90), round % 2 != 0 ? 8 : 16);
      shape.samples = random() % 3 == 0 ? 3 : 1;
      shape.colour = random() % 2 != 0;
      shape.planar = random() % 2 != 0;
      shape.is_signed = random() % 2 != 0;
      Foreign how;
      how.order = order;
      how.tile = random() % 2 != 0 ? 0 : 64 + static_cast<std::uint32_t>(random() % 60);
      how.offset = random() % 2 != 0 ? 0 : static_cast<std::uint32_t>(random() % 20);
      how.levels = 1 + static_cast<std::uint32_t>(random() % (how.tile > 0 ? 2 : 5));
      how.block_width = 16U << random() % 3;
      how.block_height = 16U << random() % 3;
      how.precinct = random() % 2 != 0 ? 0 : 64U << random() % 3;
      how.parts_at_resolutions = random() % 2 != 0;
      how.tlm = random() % 2 != 0;
      how.precision = shape.bits;
      how.is_signed = shape.is_signed;
      const Bytes frame = make_frame(shape, Kind::kSmooth, round);
      Bytes decoded;
      const Status status = decode(shape, foreign_stream(shape, frame, how), decoded);
      ASSERT_TRUE(status) << describe(status.error()) << testing::describe(shape) << how.tile;
      ASSERT_TRUE(same_bytes(decoded, frame)) << testing::describe(shape) << order;
    }
}

TEST(Htj2k, AnIrreversibleCodestreamIsDecodedNearItsPixelsAndWithinItsPrecision) {
  const Shape shape = shape_of(100, 90, 8);
  const Bytes frame = make_frame(shape, Kind::kExtremes, 1);  // overshoots at its edges
  Foreign how;
  how.reversible = false;
  how.precision = 8;
  Bytes decoded;
  const Status status = decode(shape, foreign_stream(shape, frame, how), decoded);
  ASSERT_TRUE(status) << describe(status.error());
  for (std::size_t i = 0; i < frame.size(); ++i)
    ASSERT_NEAR(std::to_integer<int>(decoded[i]), std::to_integer<int>(frame[i]), 2) << i;
}

TEST(Htj2k, AComponentOfTheOtherSignednessIsTakenAsItsBits) {
  // PS3.5 wants them alike; others read such a file by the bits, so -3 in 12 bits is 4093.
  Shape shape = shape_of(8, 8);
  Bytes frame(frame_bytes(shape).value()), decoded;
  store_le<std::uint16_t>(&frame[0], 0xFFFD);
  Foreign how;
  how.levels = 1;
  how.precision = 12;
  how.is_signed = true;
  shape.is_signed = true;
  const Bytes negative = foreign_stream(shape, frame, how);
  shape.is_signed = false;
  ASSERT_TRUE(decode(shape, negative, decoded));
  EXPECT_EQ(load_le<std::uint16_t>(&decoded[0]), 4093);
  store_le<std::uint16_t>(&frame[0], 4093);
  how.is_signed = false;
  const Bytes positive = foreign_stream(shape, frame, how);
  shape.is_signed = true;
  ASSERT_TRUE(decode(shape, positive, decoded));
  EXPECT_EQ(load_le<std::uint16_t>(&decoded[0]), 0xFFFD);
  how.precision = 16;  // the whole container: two's complement either way
  ASSERT_TRUE(decode(shape, foreign_stream(shape_of(8, 8), frame, how), decoded));
  EXPECT_EQ(load_le<std::uint16_t>(&decoded[0]), 4093);
}

TEST(Htj2k, EveryPrefixThatIsNamedDecodesLikeTheWholeStream) {
  Workspace work;
  for (unsigned variant = 0; variant < 4; ++variant) {
    Shape shape = shape_of(301, 263);
    shape.samples = variant < 2 ? 1 : 3;
    shape.colour = variant == 2;
    shape.planar = variant == 3;
    const Bytes frame = make_frame(shape, Kind::kSmooth, variant), stream = encoded(shape, frame);
    const Htj2kHeader header = read_htj2k_header(ByteSpan(stream).first(200)).value();
    const unsigned most = header.levels;
    ASSERT_EQ(most, 4U);
    std::uint64_t before = stream.size();
    for (unsigned level = 1; level <= most; ++level) {
      const std::uint64_t prefix = htj2k_prefix(header, level);
      EXPECT_LT(prefix, before);
      before = prefix;
      Bytes whole(frame_bytes(reduced(shape, level)).value()), part(whole.size());
      const Status status = work.decode_reduced(CodecId::kHtj2k, shape, stream, level, whole);
      ASSERT_TRUE(status) << describe(status.error());
      ASSERT_TRUE(work.decode_reduced(CodecId::kHtj2k, shape, ByteSpan(stream).first(prefix), level, part));
      EXPECT_EQ(part, whole) << level;
      const Status cut = work.decode_reduced(CodecId::kHtj2k, shape, ByteSpan(stream).first(prefix - 1), level, part);
      ASSERT_FALSE(cut);
      EXPECT_EQ(cut.error().error_class, ErrorClass::kCodec);
    }
    Bytes dot(frame_bytes(reduced(shape, most + 3)).value());
    EXPECT_TRUE(work.decode_reduced(CodecId::kHtj2k, shape, ByteSpan(stream).first(before), most + 3, dot));
  }
}

TEST(Htj2k, AReducedFrameIsTheMeanOfAFlatOne) {
  Workspace work;
  const Shape shape = shape_of(100, 100);
  const Bytes stream = encoded(shape, make_frame(shape, Kind::kConstant, 1));
  Bytes small(frame_bytes(reduced(shape, 2)).value());
  ASSERT_TRUE(work.decode_reduced(CodecId::kHtj2k, shape, stream, 2, small));
  for (std::size_t i = 0; i < small.size(); i += 2) ASSERT_EQ(load_le<std::uint16_t>(&small[i]), 42);
}

TEST(Htj2k, ForeignCodestreamsWithoutPartsPerResolutionAreReducedFromTheWhole) {
  Workspace work;
  const Shape shape = shape_of(128, 96);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  for (const char* order : {"LRCP", "PCRL", "CPRL"}) {
    Foreign how;
    how.order = order;
    how.tile = 64;
    const Bytes stream = foreign_stream(shape, frame, how);
    EXPECT_EQ(htj2k_prefix(read_htj2k_header(stream).value(), 2), 0U);
    Bytes small(frame_bytes(reduced(shape, 2)).value());
    const Status status = work.decode_reduced(CodecId::kHtj2k, shape, stream, 2, small);
    ASSERT_TRUE(status) << order << describe(status.error());
    EXPECT_NEAR(load_le<std::uint16_t>(&small[0]), load_le<std::uint16_t>(&frame[0]), 8);
  }
}

TEST(Htj2k, AStreamCutAtAnyByteIsAnError) {
  for (std::uint16_t samples : std::array<std::uint16_t, 2>{1, 3}) {
    Shape shape = shape_of(40, 33);
    shape.samples = samples;
    const Bytes stream = encoded(shape, make_frame(shape, Kind::kSmooth, 1));
    Bytes decoded;
    for (std::size_t size = 0; size < stream.size(); ++size) {
      const Status status = decode(shape, ByteSpan(stream).first(size), decoded);
      ASSERT_FALSE(status) << size << " of " << stream.size();
      ASSERT_EQ(status.error().error_class, ErrorClass::kCodec) << status.error().message;
    }
  }
}

TEST(Htj2k, OnlyZeroBytesMayFollowTheEndMarker) {
  const Shape shape = shape_of(10, 10);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  Bytes stream = encoded(shape, frame), decoded;
  stream.push_back(std::byte{0});
  EXPECT_TRUE(decode(shape, stream, decoded));
  EXPECT_EQ(decoded, frame);
  stream.push_back(std::byte{1});
  EXPECT_FALSE(decode(shape, stream, decoded));
}

TEST(Htj2k, AnyFlippedBitIsAnErrorOrSomePixelsAndTheWorkspaceStaysSound) {
  const Shape shape = shape_of(24, 30);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1), stream = encoded(shape, frame);
  Bytes decoded;
  for (std::size_t bit = 0; bit < stream.size() * 8; ++bit) {
    Bytes changed = stream;
    changed[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    static_cast<void>(decode(shape, changed, decoded));
    ASSERT_TRUE(decode(shape, stream, decoded)) << bit;
    ASSERT_EQ(decoded, frame) << bit;
  }
}

TEST(Htj2k, AnotherShapeThanTheCodestreamsIsACodecErrorWithBothNumbers) {
  const Shape shape = shape_of(24, 30);
  const Bytes stream = encoded(shape, make_frame(shape, Kind::kNoise, 1));
  Bytes decoded;
  Shape rows = shape, samples = shape, bits = shape;
  rows.rows = 25;
  samples.samples = 3;
  bits.bits = 8;
  const auto message = [&](const Shape& other) {
    const Status status = decode(other, stream, decoded);
    EXPECT_FALSE(status);
    if (status) return std::string();
    EXPECT_EQ(status.error().error_class, ErrorClass::kCodec);
    return status.error().message;
  };
  EXPECT_EQ(message(rows), "HTJ2K codestream: 30 x 24 pixels, 30 x 25 expected");
  EXPECT_EQ(message(samples), "HTJ2K codestream: 1 component, 3 expected");
  EXPECT_EQ(message(bits), "HTJ2K codestream: a precision of 16, at most 8 expected");
}

TEST(Htj2k, OneWorkspaceCodesFramesOfManyShapesInTurn) {
  Workspace work;
  std::mt19937 random(9);
  Bytes stream, decoded;
  for (unsigned round = 0; round < 200; ++round) {
    Shape shape =
        shape_of(1 + static_cast<std::uint32_t>(random() % 300), 1 + static_cast<std::uint32_t>(random() % 300));
    shape.samples = random() % 4 == 0 ? 3 : 1;
    shape.colour = true;
    const Bytes frame = make_frame(shape, Kind::kSmooth, round);
    stream.clear();
    decoded.assign(frame.size(), std::byte{1});
    ASSERT_TRUE(work.encode(CodecId::kHtj2k, shape, frame, stream));
    EXPECT_EQ(parse(stream).tlm, parse(stream).parts);
    ASSERT_TRUE(work.decode(CodecId::kHtj2k, shape, stream, decoded));
    ASSERT_EQ(decoded, frame);
  }
}

TEST(Htj2k, NothingIsPrinted) {
  const Shape shape = shape_of(24, 30);
  Bytes stream = encoded(shape, make_frame(shape, Kind::kSmooth, 1)), decoded;
  std::fill(stream.end() - 300, stream.end() - 2, std::byte{0xFF});
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  EXPECT_FALSE(decode(shape, stream, decoded));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace dicube::codec
