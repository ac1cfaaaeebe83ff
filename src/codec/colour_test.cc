#include "codec/colour.h"

#include <gtest/gtest.h>

#include "codec/colour_testing.h"
#include "codec/htj2k_header.h"

namespace dicube::codec {
namespace {

using testing::Colours;
using testing::make_colours;

Shape colour_shape(std::uint32_t columns, std::uint32_t rows, std::uint8_t bits, bool planar) {
  Shape shape = testing::make_shape(columns, rows, bits, 3);
  shape.colour = true;
  shape.planar = planar;
  return shape;
}

std::size_t coded_size(CodecId codec, Shape shape, const Bytes& frame, bool transform) {
  Bytes stream, decoded(frame.size());
  shape.colour = transform;
  Workspace work;
  EXPECT_TRUE(work.encode(codec, shape, frame, stream));
  shape.colour = true;  // a decoder follows the stream
  EXPECT_TRUE(work.decode(codec, shape, stream, decoded));
  EXPECT_EQ(decoded, frame);
  return stream.size();
}

TEST(ColourTransform, LightIsCodedSmallerByItAndAPaletteIsNot) {
  for (const CodecId codec : {CodecId::kHtj2k, CodecId::kLane, CodecId::kJpeg2000})
    for (const auto& [columns, rows] : {std::pair{64U, 64U}, {100U, 301U}, {17U, 9U}})
      for (const std::uint8_t bits : std::array<std::uint8_t, 2>{8, 16})
        for (const bool planar : {false, true}) {
          if (planar && codec == CodecId::kJpeg2000) continue;
          const Shape shape = colour_shape(columns, rows, bits, planar);
          for (const Colours colours : {Colours::kLight, Colours::kPalette}) {
            const Bytes frame = make_colours(shape, colours, 1);
            const bool pays = colour_transform_pays(shape, frame);
            EXPECT_EQ(pays, colours == Colours::kLight) << testing::describe(shape);
            // Lanes have one for bytes, and leave it where gaps do more.
            const bool has_one = codec != CodecId::kLane || (bits == 8 && colours == Colours::kLight);
            const std::size_t chosen = coded_size(codec, shape, frame, pays);
            const std::size_t other = coded_size(codec, shape, frame, !pays);
            EXPECT_TRUE(has_one ? chosen < other : chosen == other)
                << name(codec) << testing::describe(shape) << ": " << chosen << " and " << other;
          }
        }
}

TEST(ColourTransform, OfFewLevelsIsLeftByTheCodecThatClosesGaps) {
  const Shape shape = colour_shape(120, 100, 8, false);
  Bytes light = make_colours(shape, Colours::kLight, 1), posterized = light;
  for (std::byte& value : posterized) value &= std::byte{0xE0};
  EXPECT_TRUE(colour_transform_pays_beside_gaps(shape, light));
  EXPECT_FALSE(colour_transform_pays_beside_gaps(shape, posterized));
  EXPECT_EQ(coded_size(CodecId::kLane, shape, posterized, true), coded_size(CodecId::kLane, shape, posterized, false));
  Shape wide = colour_shape(60, 100, 16, false);
  EXPECT_FALSE(colour_transform_pays_beside_gaps(wide, light)) << "for bytes only";
}

TEST(ColourTransform, OfHtj2kIsWhatTheCodestreamSays) {
  for (const bool transform : {false, true}) {
    Shape shape = colour_shape(40, 30, 8, false);
    shape.colour = transform;
    Bytes stream;
    ASSERT_TRUE(Workspace().encode(CodecId::kHtj2k, shape, make_colours(shape, Colours::kLight, 1), stream));
    EXPECT_EQ(read_htj2k_header(stream)->colour_transform, transform);
  }
}

TEST(ColourTransform, IsForWholeFramesOfRedGreenAndBlueOnly) {
  Shape shape = colour_shape(40, 30, 8, false);
  const Bytes frame = make_colours(shape, Colours::kLight, 1);
  EXPECT_FALSE(colour_transform_pays(shape, ByteSpan(frame).first(frame.size() - 1)));
  shape.colour = false;
  EXPECT_FALSE(colour_transform_pays(shape, frame));
  EXPECT_FALSE(colour_transform_pays(testing::make_shape(120, 30, 8), frame));
  EXPECT_FALSE(colour_transform_pays(testing::make_shape(30, 30, 8, 4), frame));
}

TEST(ColourTransform, IsTakenWhereNothingSpeaksAgainstIt) {
  for (const auto& [columns, rows] : {std::pair{1U, 1U}, {3U, 70U}, {64U, 64U}}) {
    const Shape shape = colour_shape(columns, rows, 8, false);
    EXPECT_TRUE(colour_transform_pays(shape, testing::make_frame(shape, testing::Kind::kConstant, 1)));
  }
}

TEST(ColourTransform, IsChosenForSignedValuesAcrossZeroAsForOthers) {
  Shape shape = colour_shape(64, 64, 16, false);
  Bytes frame = make_colours(shape, Colours::kLight, 1);
  shape.is_signed = true;
  for (std::size_t at = 0; at < frame.size(); at += 2)
    store_le(&frame[at], static_cast<std::uint16_t>(load_le<std::uint16_t>(&frame[at]) - 128));
  EXPECT_TRUE(colour_transform_pays(shape, frame));
}

}  // namespace
}  // namespace dicube::codec
