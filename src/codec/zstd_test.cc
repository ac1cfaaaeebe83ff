#include <gtest/gtest.h>
#include <zstd.h>

#include <array>
#include <chrono>

#include "codec/codec.h"
#include "codec/filters.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;
using testing::make_frame;

Shape shape_of(unsigned bits, std::uint16_t samples = 1) {
  Shape shape;
  shape.rows = 23;
  shape.columns = 37;
  shape.bits = static_cast<std::uint8_t>(bits);
  shape.samples = samples;
  return shape;
}

// A stream written from spec/codecs.md alone.
Bytes stream_of(unsigned filter, ByteSpan filtered) {
  Bytes stream(1 + ZSTD_compressBound(filtered.size()));
  stream[0] = static_cast<std::byte>(filter);
  stream.resize(1 + ZSTD_compress(stream.data() + 1, stream.size() - 1, filtered.data(), filtered.size(), 3));
  return stream;
}

TEST(Zstd, TheFiltersAreThoseOfTheSpecification) {
  Shape shape = shape_of(16);
  shape.rows = 2;
  shape.columns = 3;
  const std::array<std::uint16_t, 6> values = {0x0102, 0x0304, 0x0203, 0x0101, 0x0404, 0xFF03};
  const auto as_planes = [](std::array<std::uint16_t, 6> words) {
    Bytes bytes;
    for (std::uint16_t word : words) bytes.push_back(static_cast<std::byte>(word & 0xFF));
    for (std::uint16_t word : words) bytes.push_back(static_cast<std::byte>(word >> 8));
    return bytes;
  };
  Bytes frame(12);
  for (std::size_t i = 0; i < 6; ++i) store_le(&frame[2 * i], values[i]);
  const std::array<Bytes, 4> filtered = {frame, as_planes(values),
                                         as_planes({0x0102, 0x0202, 0xFEFF, 0xFEFE, 0x0303, 0xFAFF}),
                                         as_planes({0x0102, 0x0304, 0x0203, 0xFFFF, 0x0100, 0xFD00})};
  Workspace work;
  for (unsigned filter = 0; filter < 4; ++filter) {
    Bytes decoded(12);
    const Status status = work.decode(CodecId::kZstd, shape, stream_of(filter, filtered[filter]), decoded);
    ASSERT_TRUE(status) << describe(status.error());
    EXPECT_EQ(decoded, frame) << filter;
  }
}

TEST(Zstd, EveryFilterUndoesItselfForEveryWidth) {
  for (unsigned bits : {8U, 16U, 32U, 64U})
    for (std::uint16_t samples : std::array<std::uint16_t, 3>{1, 3, 7})
      for (bool planar : {false, true})
        for (unsigned id = 1; id < kFilters; ++id) {
          Shape shape = shape_of(bits, samples);
          shape.planar = planar;
          const auto filter = static_cast<Filter>(id);
          if (!applies(filter, shape)) continue;
          const Bytes frame = make_frame(shape, Kind::kNoise, id);
          Bytes scratch(frame.size()), filtered(frame.size()), back(frame.size());
          apply(filter, shape, frame, scratch, filtered);
          EXPECT_NE(filtered, frame);
          undo(filter, shape, filtered, back);
          ASSERT_EQ(back, frame) << testing::describe(shape) << " filter " << id;
        }
}

TEST(Zstd, TheFilterThatSuitsIsChosen) {
  Workspace work;
  Bytes masks, ramp;
  ASSERT_TRUE(work.encode(CodecId::kZstd, shape_of(8), make_frame(shape_of(8), Kind::kConstant, 1), masks));
  ASSERT_TRUE(work.encode(CodecId::kZstd, shape_of(32), make_frame(shape_of(32), Kind::kRamp, 1), ramp));
  EXPECT_EQ(masks[0], std::byte{0});
  EXPECT_NE(ramp[0], std::byte{0});
  EXPECT_LT(ramp.size(), frame_bytes(shape_of(32)).value() / 20);
}

TEST(Zstd, AStreamCutAnywhereOrExtendedIsAnError) {
  Workspace work;
  const Shape shape = shape_of(16);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 2);
  Bytes stream, decoded(frame.size());
  ASSERT_TRUE(work.encode(CodecId::kZstd, shape, frame, stream));
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const Status status = work.decode(CodecId::kZstd, shape, ByteSpan(stream).first(size), decoded);
    ASSERT_FALSE(status) << size;
    ASSERT_EQ(status.error().error_class, ErrorClass::kCodec);
  }
  stream.push_back(std::byte{0});
  EXPECT_FALSE(work.decode(CodecId::kZstd, shape, stream, decoded));
}

TEST(Zstd, UnknownFiltersAndThoseThatDoNotApplyAreErrors) {
  Workspace work;
  const Shape bytes = shape_of(8), bits = shape_of(1);
  Bytes frame(frame_bytes(bytes).value()), packed(frame_bytes(bits).value());
  EXPECT_FALSE(work.decode(CodecId::kZstd, bytes, stream_of(4, frame), frame));
  EXPECT_FALSE(work.decode(CodecId::kZstd, bytes, stream_of(1, frame), frame));
  EXPECT_FALSE(work.decode(CodecId::kZstd, bits, stream_of(2, packed), packed));
  EXPECT_TRUE(work.decode(CodecId::kZstd, bits, stream_of(0, packed), packed));
}

TEST(Zstd, AFrameThatAnnouncesAnotherSizeIsRefusedWithBothNumbersBeforeItIsDecoded) {
  Workspace work;
  const Shape shape = shape_of(16);
  Bytes decoded(frame_bytes(shape).value());
  const Bytes bomb = stream_of(0, Bytes(256 << 20));
  const auto begin = std::chrono::steady_clock::now();
  const Status status = work.decode(CodecId::kZstd, shape, bomb, decoded);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(10));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().error_class, ErrorClass::kCodec);
  EXPECT_EQ(status.error().message, "zstd stream: 268435456 bytes announced, 1702 expected");
}

TEST(Zstd, AFrameWithoutItsSizeIsRefused) {
  Workspace work;
  const Shape shape = shape_of(8);
  Bytes frame(frame_bytes(shape).value()), stream(1 + ZSTD_compressBound(frame.size()));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  stream.resize(1 + ZSTD_compress2(context, stream.data() + 1, stream.size() - 1, frame.data(), frame.size()));
  ZSTD_freeCCtx(context);
  EXPECT_FALSE(work.decode(CodecId::kZstd, shape, stream, frame));
}

}  // namespace
}  // namespace dicube::codec
