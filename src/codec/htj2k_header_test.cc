#include "codec/htj2k_header.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>

#include "codec/foreign_testing.h"
#include "codec/htj2k_markers.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;
using testing::make_frame;

Shape shape_of(std::uint32_t side, std::uint16_t samples = 1) {
  Shape shape;
  shape.rows = shape.columns = side;
  shape.samples = samples;
  return shape;
}

Bytes stream_of(const Shape& shape) {
  Workspace work;
  Bytes stream;
  EXPECT_TRUE(work.encode(CodecId::kHtj2k, shape, make_frame(shape, Kind::kSmooth, 1), stream));
  return stream;
}

void store_be16(std::byte* to, std::uint32_t value) { store_le(to, swap_bytes(static_cast<std::uint16_t>(value))); }
void store_be32(std::byte* to, std::uint32_t value) { store_le(to, swap_bytes(value)); }

// Where the marker stands in the main header.
std::size_t find(ByteSpan stream, std::uint32_t marker) {
  std::size_t at = 2;
  while (load_be<std::uint16_t>(&stream[at]) != marker && load_be<std::uint16_t>(&stream[at]) != kSot)
    at += 2 + load_be<std::uint16_t>(&stream[at + 2]);
  EXPECT_EQ(load_be<std::uint16_t>(&stream[at]), marker);
  return at;
}

Bytes insert(Bytes stream, std::size_t at, std::initializer_list<unsigned> bytes) {
  Bytes inserted;
  for (unsigned byte : bytes) inserted.push_back(static_cast<std::byte>(byte));
  stream.insert(stream.begin() + static_cast<std::ptrdiff_t>(at), inserted.begin(), inserted.end());
  return stream;
}

// Refused within 10 ms and 16 MiB.
Error refused(const Shape& shape, const Bytes& stream) {
  Workspace work;
  Bytes pixels(frame_bytes(shape).value());
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const auto begin = std::chrono::steady_clock::now();
  const Status status = work.decode(CodecId::kHtj2k, shape, stream, pixels);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(10));
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 << 10);
  EXPECT_FALSE(status);
  return status ? Error{} : status.error();
}

TEST(Htj2kHeader, SaysWhatTheCodestreamIs) {
  const Shape shape = shape_of(200, 3);
  const Bytes stream = stream_of(shape);
  const auto header = read_htj2k_header(stream);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->rows, 200U);
  EXPECT_EQ(header->components, 3U);
  EXPECT_EQ(header->tiles, 1U);
  EXPECT_EQ(header->parts, header->levels + 1);
  EXPECT_FALSE(header->colour_transform);
  EXPECT_EQ(htj2k_prefix(*header, 0) + 2, stream.size());
}

TEST(Htj2kHeader, AHugeImageIsRefusedForItsSize) {
  const Shape shape = shape_of(64);
  Bytes stream = stream_of(shape);
  for (std::size_t at : {8U, 12U, 24U, 28U}) store_be32(&stream[at], 0x7FFFFFFF);
  EXPECT_NE(refused(shape, stream).message.find("2147483647"), std::string::npos);
  for (std::size_t at : {8U, 12U}) store_be32(&stream[at], 0xFFFFFFFF);
  EXPECT_EQ(refused(shape, stream).error_class, ErrorClass::kUnsupported);
}

TEST(Htj2kHeader, ManyTilesAreRefusedForTheirMemory) {
  const Shape shape = shape_of(250);
  Bytes stream = stream_of(shape);
  for (std::size_t at : {24U, 28U}) store_be32(&stream[at], 1);
  EXPECT_EQ(refused(shape, stream).error_class, ErrorClass::kLimit);
  const Shape large = shape_of(1024);
  Bytes more = stream_of(large);
  for (std::size_t at : {24U, 28U}) store_be32(&more[at], 1);
  EXPECT_EQ(refused(large, more).message, "HTJ2K codestream: 1048576 tiles, at most 65535");
}

TEST(Htj2kHeader, TinyBlocksAndPrecinctsAreRefusedForTheirMemory) {
  const Shape shape = shape_of(512);
  Bytes stream = stream_of(shape);
  const std::size_t cod = find(stream, kCod);
  stream[cod + 4 + 6] = stream[cod + 4 + 7] = std::byte{0};  // 4 x 4
  EXPECT_EQ(refused(shape, stream).error_class, ErrorClass::kLimit);
  Bytes precincts = stream_of(shape);
  const std::size_t size = load_be<std::uint16_t>(&precincts[cod + 2]), levels = 5;
  store_be16(&precincts[cod + 2], static_cast<std::uint32_t>(size + levels + 1));
  precincts[cod + 4] |= std::byte{1};
  precincts = insert(precincts, cod + 2 + size, {0x11, 0x11, 0x11, 0x11, 0x11, 0x11});
  EXPECT_EQ(refused(shape, precincts).error_class, ErrorClass::kLimit);
}

TEST(Htj2kHeader, CostGrowsWithTheImageAndUsualCodestreamsStayFarBelowTheLimit) {
  for (std::uint32_t side : {1U, 64U, 512U, 2048U}) {
    const Shape shape = shape_of(side);
    const auto header = read_htj2k_header(stream_of(shape));
    ASSERT_TRUE(header);
    const std::uint64_t values = std::uint64_t{side} * side;
    EXPECT_LT(header->working_bytes, (4U << 20) + 4 * values) << side;
    EXPECT_LT(header->code_blocks, 64 + values / 1500) << side;
  }
}

TEST(Htj2kHeader, WhatOpenJphWouldIgnoreIsRefused) {
  const Shape shape = shape_of(32);
  const Bytes stream = stream_of(shape);
  const std::size_t end = read_htj2k_header(stream)->bytes;
  // RGN, POC, PPM, and Part 2's DFS, ADS, NLT, ATK
  for (unsigned marker : {0x5EU, 0x5FU, 0x60U, 0x72U, 0x73U, 0x76U, 0x79U})
    EXPECT_EQ(refused(shape, insert(stream, end, {0xFF, marker, 0, 4, 0, 0})).error_class, ErrorClass::kUnsupported);
  // The same in a tile-part, and its COD and QCD; a comment is harmless.
  for (unsigned marker : {0x52U, 0x53U, 0x5CU, 0x5DU, 0x5EU, 0x5FU, 0x61U}) {
    Bytes inside = insert(stream, end + kSotBytes, {0xFF, marker, 0, 4, 0, 0});
    store_be32(&inside[end + 6], load_be<std::uint32_t>(&inside[end + 6]) + 6);
    EXPECT_EQ(refused(shape, inside).error_class, ErrorClass::kUnsupported);
  }
  Bytes comment = insert(stream, end + kSotBytes, {0xFF, 0x64, 0, 6, 0, 0, 1, 1});
  store_be32(&comment[end + 6], load_be<std::uint32_t>(&comment[end + 6]) + 8);
  Workspace work;
  Bytes pixels(frame_bytes(shape).value());
  EXPECT_TRUE(work.decode(CodecId::kHtj2k, shape, comment, pixels));
}

TEST(Htj2kHeader, PlainJpeg2000AndManyLayersAreUnsupported) {
  const Shape shape = shape_of(32);
  Bytes plain = stream_of(shape), layers = plain, kernel = plain, style = plain;
  const std::size_t cod = find(plain, kCod);
  store_be16(&plain[6], 0);
  EXPECT_EQ(refused(shape, plain).error_class, ErrorClass::kUnsupported);
  store_be16(&layers[cod + 6], 2);
  EXPECT_EQ(refused(shape, layers).error_class, ErrorClass::kUnsupported);
  kernel[cod + 13] = std::byte{7};
  EXPECT_EQ(refused(shape, kernel).error_class, ErrorClass::kUnsupported);
  style[cod + 12] = std::byte{0};
  EXPECT_EQ(refused(shape, style).error_class, ErrorClass::kUnsupported);
}

TEST(Htj2kHeader, QuantizersThatOverflowOpenJphAreRefused) {
  const Shape shape = shape_of(32);
  testing::Foreign how;
  how.reversible = false;
  Bytes stream = testing::foreign_stream(shape, make_frame(shape, Kind::kSmooth, 1), how);
  const std::size_t qcd = find(stream, kQcd);
  Bytes wide = stream, none = stream, few = stream;
  wide[qcd + 4] = std::byte{0xE2};
  wide[qcd + 5] = std::byte{0xF8};  // 7 guard bits and the largest exponent: over 32 bits
  EXPECT_EQ(refused(shape, wide).error_class, ErrorClass::kUnsupported);
  none[qcd + 5] = std::byte{0};
  EXPECT_EQ(refused(shape, none).error_class, ErrorClass::kUnsupported);
  few[find(few, kCod) + 9] = std::byte{6};  // a sixth decomposition without step sizes
  EXPECT_EQ(refused(shape, few).error_class, ErrorClass::kCodec);
}

TEST(Htj2kHeader, ColourTransformsOverUnequalComponentsAreRefused) {
  const Shape one = shape_of(32), three = shape_of(32, 3);
  Bytes alone = stream_of(one), unequal = stream_of(three);
  alone[find(alone, kCod) + 8] = std::byte{1};
  EXPECT_EQ(refused(one, alone).error_class, ErrorClass::kCodec);
  unequal[find(unequal, kCod) + 8] = std::byte{1};
  unequal[6 + 36 + 3] = std::byte{6};
  EXPECT_EQ(refused(three, unequal).error_class, ErrorClass::kCodec);
}

TEST(Htj2kHeader, TilePartsMustFollowEachOtherAndBeComplete) {
  const Shape shape = shape_of(64);
  const Bytes stream = stream_of(shape);
  const auto header = read_htj2k_header(stream);
  ASSERT_TRUE(header);
  ASSERT_GT(header->parts, 1U);
  const std::size_t sot = header->bytes,
                    last = sot + htj2k_prefix(*header, 0) - header->bytes - header->part_bytes[header->parts - 1];
  Bytes unknown = stream, longer = stream, shorter = stream, order = stream, tile = stream;
  store_be32(&unknown[last + 6], 0);
  EXPECT_EQ(refused(shape, unknown).error_class, ErrorClass::kUnsupported);
  store_be32(&longer[sot + 6], 0x7FFFFFFF);
  EXPECT_EQ(refused(shape, longer).error_class, ErrorClass::kCodec);
  store_be32(&shorter[sot + 6], 13);
  EXPECT_EQ(refused(shape, shorter).error_class, ErrorClass::kCodec);
  order[sot + 10] = std::byte{1};
  EXPECT_EQ(refused(shape, order).error_class, ErrorClass::kCodec);
  store_be16(&tile[sot + 4], 1);
  EXPECT_EQ(refused(shape, tile).error_class, ErrorClass::kCodec);
  Bytes missing(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(last));
  append(missing, ByteSpan(stream).last(2));
  const std::string message = refused(shape, missing).message;
  EXPECT_NE(message.find("tile-parts"), std::string::npos) << message;
}

TEST(Htj2kHeader, ATlmThatLiesIsNoticedWhenAPrefixIsDecoded) {
  const Shape shape = shape_of(64);
  Bytes stream = stream_of(shape), small(frame_bytes(reduced(shape, 1)).value());
  Workspace work;
  ASSERT_TRUE(work.decode_reduced(CodecId::kHtj2k, shape, stream, 1, small));
  stream[find(stream, kTlm) + 8] ^= std::byte{1};
  EXPECT_FALSE(work.decode_reduced(CodecId::kHtj2k, shape, stream, 1, small));
}

TEST(Htj2kHeader, AHeadCutInTheMainHeaderIsRefused) {
  const Bytes stream = stream_of(shape_of(200));
  const std::uint64_t bytes = read_htj2k_header(stream)->bytes;
  for (std::uint64_t size = 0; size < bytes; ++size)
    EXPECT_FALSE(read_htj2k_header(ByteSpan(stream).first(size))) << size;
}

}  // namespace
}  // namespace dicube::codec
