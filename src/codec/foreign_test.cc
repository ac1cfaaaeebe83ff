#include "codec/foreign.h"

#include <gtest/gtest.h>

#include <random>

#include "codec/jpeg_testing.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::Kind;
using testing::make_frame;
using testing::make_shape;

constexpr std::array kEncoders = {CodecId::kRle, CodecId::kJpegLs, CodecId::kJpeg2000, CodecId::kJpegXl};

// The values of the frame, brought into `bits` bits.
Bytes narrowed(const Shape& shape, Bytes frame, unsigned bits) {
  const unsigned unused = shape.bits - bits;
  for (std::size_t at = 0; at < frame.size(); at += shape.bits / 8U) {
    if (shape.bits == 8) {
      const auto value = static_cast<std::uint8_t>(std::to_integer<unsigned>(frame[at]) << unused);
      frame[at] = static_cast<std::byte>(shape.is_signed ? static_cast<std::int8_t>(value) >> unused : value >> unused);
    } else {
      const auto value = static_cast<std::uint16_t>(load_le<std::uint16_t>(frame.data() + at) << unused);
      store_le(frame.data() + at, static_cast<std::uint16_t>(
                                      shape.is_signed ? static_cast<std::int16_t>(value) >> unused : value >> unused));
    }
  }
  return frame;
}

// As libjpeg-turbo writes it: baseline or extended when lossy, else process 14.
Bytes jpeg_stream(const Shape& shape, int precision, bool lossless, const Bytes& pixels, bool colour = false) {
  testing::JpegOptions options;
  options.precision = precision;
  options.lossless = lossless;
  options.colour_transform = colour;
  options.quality = 100;
  return testing::jpeg_stream(shape, options, pixels);
}

// One stream of each codec, of the frame with this shape.
Bytes stream_of(CodecId codec, const Shape& shape, const Bytes& frame) {
  if (codec == CodecId::kJpeg) return jpeg_stream(shape, shape.bits, true, frame);
  Workspace work;
  Bytes stream;
  const Status done = work.encode(codec, shape, frame, stream);
  EXPECT_TRUE(done) << describe(done.error());
  return stream;
}

constexpr std::array kAll = {CodecId::kRle, CodecId::kJpeg, CodecId::kJpegLs, CodecId::kJpeg2000, CodecId::kJpegXl};

TEST(Foreign, EveryEncoderGivesBackEveryShape) {
  Workspace work;
  std::mt19937 random(1);
  for (unsigned round = 0; round < 600; ++round) {
    const CodecId codec = kEncoders[round % kEncoders.size()];
    Shape shape = make_shape(
        1 + static_cast<std::uint32_t>(random() % 90), 1 + static_cast<std::uint32_t>(random() % 90),
        static_cast<std::uint8_t>(8U << random() % (codec == CodecId::kRle ? 3 : 2)),
        static_cast<std::uint16_t>(random() % 2 != 0 ? 3 : 1), codec != CodecId::kJpegXl && random() % 2 != 0);
    shape.colour = random() % 2 != 0;
    Bytes frame = make_frame(shape, static_cast<Kind>(random() % testing::kKinds), round);
    const unsigned precision = 2 + static_cast<unsigned>(random() % (shape.bits - 1));
    if (shape.bits <= 16) frame = narrowed(shape, frame, precision);
    shape.precision = static_cast<std::uint8_t>(precision);
    Bytes stream, decoded(frame.size());
    const Status encoded = work.encode(codec, shape, frame, stream);
    ASSERT_TRUE(encoded) << name(codec) << ": " << describe(encoded.error()) << testing::describe(shape);
    const Status status = work.decode(codec, shape, stream, decoded);
    ASSERT_TRUE(status) << name(codec) << ": " << describe(status.error()) << testing::describe(shape);
    ASSERT_TRUE(same_bytes(decoded, frame)) << name(codec) << testing::describe(shape);
  }
}

TEST(Foreign, LosslessJpegOfEveryPrecisionDecodesAndExtendsSigns) {
  for (unsigned precision = 2; precision <= 16; ++precision)
    for (const bool is_signed : {false, true})
      for (const std::uint8_t bits : {std::uint8_t{8}, std::uint8_t{16}}) {
        if (precision > bits) continue;
        const Shape shape = make_shape(37, 21, bits, 1, is_signed);
        const Bytes frame = narrowed(shape, make_frame(shape, Kind::kNoise, precision), precision);
        Bytes decoded(frame.size());
        const Status done = decode_jpeg(shape, jpeg_stream(shape, static_cast<int>(precision), true, frame), decoded);
        ASSERT_TRUE(done) << describe(done.error());
        EXPECT_TRUE(same_bytes(decoded, frame)) << precision << testing::describe(shape);
      }
}

TEST(Foreign, TheSignOfJpegAndJpegLsIsAtBitsStored) {
  Shape shape = make_shape(5, 4, 16);
  Bytes frame(40), decoded(40);
  for (std::size_t i = 0; i < frame.size(); i += 2) store_le(frame.data() + i, static_cast<std::uint16_t>(513 + i));
  Bytes jpegls;
  ASSERT_TRUE(encode_jpegls(shape, frame, jpegls));  // 10 bits
  shape.is_signed = true;
  shape.precision = 12;
  ASSERT_TRUE(decode_jpegls(shape, jpegls, decoded));
  EXPECT_EQ(decoded, frame);
  ASSERT_TRUE(decode_jpeg(shape, jpeg_stream(make_shape(5, 4, 16), 10, true, frame), decoded));
  EXPECT_EQ(decoded, frame);
}

TEST(Foreign, Jpeg2000OfTheOtherSignednessKeepsItsBits) {
  Shape shape = make_shape(5, 4, 16, 1, true);
  shape.precision = 12;
  Bytes frame(40), decoded(40), stream;
  for (std::size_t i = 0; i < frame.size(); i += 2) store_le(frame.data() + i, static_cast<std::uint16_t>(7 * i - 100));
  ASSERT_TRUE(encode_jpeg2000(shape, frame, stream));
  shape.is_signed = false;
  ASSERT_TRUE(decode_jpeg2000(shape, stream, decoded));
  for (std::size_t i = 0; i < frame.size(); i += 2)
    EXPECT_EQ(load_le<std::uint16_t>(decoded.data() + i), load_le<std::uint16_t>(frame.data() + i) & 0xFFF);
}

TEST(Foreign, LossyJpegOf8And12BitsComesCloseToItsSource) {
  for (const int precision : {8, 12}) {
    const Shape shape = make_shape(64, 48, 16);
    const Bytes frame = narrowed(shape, make_frame(shape, Kind::kSmooth, 1), static_cast<unsigned>(precision));
    Bytes decoded(frame.size());
    const Status done = decode_jpeg(shape, jpeg_stream(shape, precision, false, frame), decoded);
    ASSERT_TRUE(done) << describe(done.error());
    for (std::size_t i = 0; i < frame.size(); i += 2)
      ASSERT_NEAR(load_le<std::uint16_t>(frame.data() + i), load_le<std::uint16_t>(decoded.data() + i), 8) << i;
  }
}

TEST(Foreign, JpegInYCbCrComesOutAsRgbOnlyWhenTheDataSetSaysRgb) {
  Shape shape = make_shape(16, 16, 8, 3);
  Bytes frame(16 * 16 * 3);
  for (std::size_t i = 0; i < frame.size(); i += 3) frame[i] = std::byte{255};  // red
  const Bytes stream = jpeg_stream(shape, 8, false, frame, true);
  Bytes decoded(frame.size());
  ASSERT_TRUE(decode_jpeg(shape, stream, decoded));
  EXPECT_NEAR(std::to_integer<int>(decoded[0]), 76, 2);
  EXPECT_NEAR(std::to_integer<int>(decoded[2]), 255, 2);
  shape.colour = true;
  ASSERT_TRUE(decode_jpeg(shape, stream, decoded));
  EXPECT_NEAR(std::to_integer<int>(decoded[0]), 254, 2);
  EXPECT_NEAR(std::to_integer<int>(decoded[1]), 0, 2);
}

TEST(Foreign, RleOfTheStandardsKindDecodes) {
  // One segment: 3 literal bytes, 4 times 9, a no-operation, padding.
  Bytes stream(64);
  store_le(stream.data(), std::uint32_t{1});
  store_le(stream.data() + 4, std::uint32_t{64});
  for (const int byte : {2, 5, 6, 7, 253, 9, 128, 0}) stream.push_back(static_cast<std::byte>(byte));
  Bytes decoded(7);
  ASSERT_TRUE(decode_rle(make_shape(7, 1, 8), stream, decoded));
  EXPECT_EQ(as_text(decoded), "\5\6\7\11\11\11\11");
  Bytes more(9);
  EXPECT_FALSE(decode_rle(make_shape(9, 1, 8), stream, more));
}

TEST(Foreign, AnotherSizeThanDeclaredIsRefusedWithBothNumbers) {
  Workspace work;
  const Shape shape = make_shape(40, 30, 8);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  for (const CodecId codec : kAll) {
    const Bytes stream = stream_of(codec, shape, frame);
    for (const auto& [columns, rows] : {std::pair{41U, 31U}, {40U, 29U}, {30U, 40U}, {1U, 1U}, {3000U, 2000U}}) {
      if (codec == CodecId::kRle && columns * rows <= 1200)
        continue;  // it does not say its size: what is over is cut off
      const Shape other = make_shape(columns, rows, 8);
      Bytes out(frame_bytes(other).value());
      const Status done = work.decode(codec, other, stream, out);
      ASSERT_FALSE(done) << name(codec);
      EXPECT_EQ(done.error().error_class, ErrorClass::kCodec) << name(codec) << describe(done.error());
      if (codec == CodecId::kRle) continue;
      EXPECT_NE(done.error().message.find("40 x 30"), std::string::npos) << done.error().message;
      EXPECT_NE(done.error().message.find(formatted("{} x {}", columns, rows)), std::string::npos)
          << done.error().message;
    }
  }
}

TEST(Foreign, AnotherNumberOfComponentsOrWiderValuesAreRefused) {
  Workspace work;
  const Shape grey = make_shape(32, 32, 8), colour = make_shape(32, 32, 8, 3), wide = make_shape(32, 32, 16);
  for (const CodecId codec : kAll) {
    const auto refused = [&](const Shape& coded, const Shape& declared) {
      Bytes out(frame_bytes(declared).value());
      const Status done =
          work.decode(codec, declared, stream_of(codec, coded, make_frame(coded, Kind::kNoise, 1)), out);
      EXPECT_FALSE(done) << name(codec);
      EXPECT_TRUE(done || done.error().error_class == ErrorClass::kCodec) << name(codec) << describe(done.error());
    };
    refused(grey, colour);
    refused(colour, grey);
    refused(wide, grey);
  }
}

TEST(Foreign, RleOfPixelsWithoutSamplesIsRefused) {
  Workspace codec;
  const Shape shape{.rows = 4, .columns = 4, .samples = 0, .bits = 8};
  EXPECT_FALSE(codec.decode(CodecId::kRle, shape, Bytes(64), {}));
}

TEST(Foreign, StreamsCutOffAnywhereAreRefused) {
  Workspace work;
  for (const auto& shape : {make_shape(48, 32, 16), make_shape(24, 24, 8, 3)}) {
    const Bytes frame = make_frame(shape, Kind::kNoise, 1);
    for (const CodecId codec : kAll) {
      const Bytes stream = stream_of(codec, shape, frame);
      // The last bytes may be a marker or padding that decoding does without.
      for (std::size_t size = 0; size + 16 < stream.size(); size += 1 + size / 40) {
        Bytes out(frame.size());
        const Status done = work.decode(codec, shape, ByteSpan(stream).first(size), out);
        ASSERT_FALSE(done) << name(codec) << " cut to " << size << " of " << stream.size();
        EXPECT_EQ(done.error().error_class, ErrorClass::kCodec) << name(codec) << describe(done.error());
      }
    }
  }
}

// ISO/IEC 15444-1 I.4
Bytes as_box(std::string_view type, const Bytes& content) {
  Bytes box(4);
  store_le(box.data(), swap_bytes(static_cast<std::uint32_t>(8 + content.size())));
  append(box, as_bytes(type));
  append(box, content);
  return box;
}

TEST(Foreign, SourcesThatDoNotBeginOrEndAsTheyShouldAreToldWithoutDecoding) {
  const auto shape = make_shape(24, 16, 8), wider = make_shape(25, 16, 8);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  for (const CodecId codec : {CodecId::kJpeg, CodecId::kJpegLs, CodecId::kJpeg2000, CodecId::kHtj2k}) {
    Bytes stream = stream_of(codec, shape, frame);
    EXPECT_TRUE(check_source(codec, shape, stream)) << name(codec);
    const Status other = check_source(codec, wider, stream);
    ASSERT_FALSE(other) << name(codec);
    EXPECT_NE(other.error().message.find("24 x 16 pixels, 25 x 16 expected"), std::string::npos)
        << other.error().message;
    stream.push_back(std::byte{0});
    EXPECT_TRUE(check_source(codec, shape, stream)) << name(codec) << ", padded";
    if (codec == CodecId::kJpeg2000) {
      Bytes boxed = as_box("jP  ", {std::byte{0x0D}, std::byte{0x0A}, std::byte{0x87}, std::byte{0x0A}});
      append(boxed, as_box("jp2c", stream));
      EXPECT_TRUE(check_source(codec, shape, boxed));
    }
    stream.resize(stream.size() - 3);
    const Status cut = check_source(codec, shape, stream);
    ASSERT_FALSE(cut) << name(codec);
    EXPECT_EQ(cut.error().error_class, ErrorClass::kCodec);
    EXPECT_FALSE(check_source(codec, shape, {})) << name(codec);
  }
}

TEST(Foreign, ChangedStreamsNeverHarm) {
  Workspace work;
  std::mt19937 random(1);
  const Shape shape = make_shape(48, 32, 16);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  for (const CodecId codec : kAll) {
    const Bytes stream = stream_of(codec, shape, frame);
    Bytes out(frame.size());
    for (unsigned round = 0; round < 300; ++round) {
      Bytes changed = stream;
      for (unsigned i = 0; i <= round % 4; ++i)
        changed[random() % (round % 2 != 0 ? std::min<std::size_t>(changed.size(), 200) : changed.size())] =
            static_cast<std::byte>(random());
      const Status done = work.decode(codec, shape, changed, out);
      EXPECT_TRUE(done || done.error().error_class != ErrorClass::kUsage) << name(codec) << describe(done.error());
    }
  }
}

// A codestream's first segments, with nothing in its only tile-part.
Bytes empty_jpeg2000(std::uint32_t side, std::uint32_t tile, std::uint16_t layers, std::uint8_t block_exponent,
                     bool in_tile_part) {
  Bytes out;
  const auto put = [&](std::uint64_t value, unsigned bytes) {
    while (bytes-- > 0) out.push_back(static_cast<std::byte>(value >> 8 * bytes));
  };
  const auto put_cod = [&](std::uint8_t exponent) {
    put(0xFF52, 2), put(12, 2), put(0, 2), put(layers, 2), put(0, 1), put(5, 1);
    put(exponent, 1), put(exponent, 1), put(0, 1), put(1, 1);
  };
  put(0xFF4FFF51, 4), put(41, 2), put(0, 2), put(side, 4), put(side, 4), put(0, 8), put(tile, 4), put(tile, 4);
  put(0, 8), put(1, 2), put(0x0F0101, 3);
  put_cod(in_tile_part ? 4 : block_exponent);
  put(0xFF5C, 2), put(19, 2), put(0x40, 1);
  for (unsigned i = 0; i < 16; ++i) put(0x88, 1);
  put(0xFF90, 2), put(10, 2), put(0, 2), put(in_tile_part ? 28 : 14, 4), put(1, 2);
  if (in_tile_part) put_cod(block_exponent);
  put(0xFF93, 2), put(0xFFD9, 2);
  return out;
}

TEST(Foreign, Jpeg2000ThatWouldTakeMemoryOutOfProportionIsRefused) {
  const Shape shape = make_shape(1024, 1024, 16);
  Bytes pixels(frame_bytes(shape).value());
  const auto error_of = [&](const Bytes& stream) {
    const Status done = decode_jpeg2000(shape, stream, pixels);
    return done ? "" : describe(done.error());
  };
  const auto starts = [](const std::string& text, const char* what) { return text.find(what) != std::string::npos; };
  EXPECT_TRUE(starts(error_of(empty_jpeg2000(1024, 4, 1, 4, false)), "65536 tiles"));
  EXPECT_TRUE(starts(error_of(empty_jpeg2000(1024, 1024, 1, 0, false)), "code-blocks"));
  EXPECT_TRUE(starts(error_of(empty_jpeg2000(1024, 1024, 1, 0, true)), "code-blocks"));
  EXPECT_TRUE(starts(error_of(empty_jpeg2000(1024, 64, 65535, 4, false)), "65535 layers"));
  const std::string well = error_of(empty_jpeg2000(1024, 1024, 1, 4, true));
  EXPECT_FALSE(starts(well, "allowed") || starts(well, "layers")) << well;
}

TEST(Foreign, AFrameOfOneLineIsReadFromWhatItsEncoderMakes) {
  Workspace work;
  for (const auto& [columns, rows] : {std::pair{65535U, 1U}, {1U, 65535U}, {65535U, 2U}})
    for (const auto& [bits, samples] : {std::pair{8, 3}, {16, 1}, {32, 1}})
      for (const CodecId codec : {CodecId::kHtj2k, CodecId::kJpegLs, CodecId::kJpeg2000}) {
        if (bits == 32 && codec != CodecId::kHtj2k) continue;
        Shape shape =
            make_shape(columns, rows, static_cast<std::uint8_t>(bits), static_cast<std::uint16_t>(samples), bits == 32);
        shape.colour = samples == 3;
        const Bytes frame = make_frame(shape, Kind::kNoise, 1);
        Bytes back(frame.size());
        const Status done = work.decode(codec, shape, stream_of(codec, shape, frame), back);
        EXPECT_TRUE(done && back == frame) << name(codec) << testing::describe(shape) << describe(done.error());
      }
}

TEST(Foreign, ABlankFrameOfALargeDetectorIsRead) {
  const Shape shape = make_shape(9000, 9000, 8);
  const Bytes frame(frame_bytes(shape).value(), std::byte{3});
  const Bytes stream = stream_of(CodecId::kJpegLs, shape, frame);
  Bytes back(frame.size());
  Workspace work;
  const Status done = work.decode(CodecId::kJpegLs, shape, stream, back);
  EXPECT_TRUE(done && back == frame) << describe(done.error());
}

TEST(Foreign, HowManyPixelsAFewBytesMayPromiseGoesByTheSyntax) {
  struct Case {
    CodecId codec;
    std::uint32_t side;  // of a frame that is blank
    std::size_t bytes;   // that it takes
  };
  Workspace work;
  for (const Case& blank : {Case{CodecId::kJpegLs, 12000, 1565}, Case{CodecId::kJpeg2000, 12000, 120},
                            Case{CodecId::kJpegXl, 12000, 6700}}) {
    const auto refused = [&](std::uint32_t side) {  // for its size, and not for what it holds
      const Shape shape = make_shape(side, side, 8);
      const auto memory = std::make_unique_for_overwrite<std::byte[]>(frame_bytes(shape).value());
      const Status done =
          work.decode(blank.codec, shape, Bytes(blank.bytes), {memory.get(), frame_bytes(shape).value()});
      return done.error().error_class == ErrorClass::kLimit;
    };
    EXPECT_FALSE(refused(blank.side)) << name(blank.codec);
    EXPECT_TRUE(refused(65535)) << name(blank.codec);
  }
}

TEST(Foreign, WhatASyntaxDoesNotHoldIsUnsupportedAndLeavesTheOutputAlone) {
  Workspace work;
  for (const CodecId codec : kEncoders) {
    const Shape shape = codec == CodecId::kJpegXl ? make_shape(8, 8, 16, 1, true) : make_shape(8, 8, 64, 3);
    Bytes out(3);
    const Status done = work.encode(codec, shape, make_frame(shape, Kind::kNoise, 1), out);
    ASSERT_FALSE(done) << name(codec);
    EXPECT_EQ(done.error().error_class, ErrorClass::kUnsupported);
    EXPECT_EQ(out.size(), 3U);
  }
}

TEST(JpegLs, HoldsNoiseThatGrowsWhenItIsCoded) {
  for (const std::uint8_t bits : std::array<std::uint8_t, 2>{8, 16}) {
    const Shape shape = make_shape(64, 64, bits, 3);
    Bytes noise(std::size_t{3} * 64 * 64 * bits / 8);
    std::mt19937 random(1);
    for (std::byte& value : noise) value = static_cast<std::byte>(random());
    Bytes stream, back(noise.size());
    const auto coded = encode_jpegls(shape, noise, stream);
    ASSERT_TRUE(coded) << coded.error().message;
    EXPECT_GT(stream.size(), noise.size());
    ASSERT_TRUE(decode_jpegls(shape, stream, back));
    EXPECT_EQ(back, noise);
  }
}

TEST(JpegLs, IsReadWithAZeroByteBeforeItsEnd) {
  const Shape shape = make_shape(16, 24, 16);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 12);
  Bytes stream, back(frame.size());
  ASSERT_TRUE(encode_jpegls(shape, frame, stream));
  stream.insert(stream.end() - 2, std::byte{0});
  const auto done = decode_jpegls(shape, stream, back);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(back, frame);
  stream.insert(stream.end() - 2, std::byte{1});
  EXPECT_FALSE(decode_jpegls(shape, stream, back)) << "what is no padding";
}

}  // namespace
}  // namespace dicube::codec
