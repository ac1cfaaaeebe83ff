#include "archive/frames.h"

#include "archive/code_frame.h"
#include "archive/shapes.h"

#include <gtest/gtest.h>

#include <map>

#include "codec/testing.h"

namespace dicube::archive {
namespace {

using codec::testing::Kind;

format::FrameFormat format_of(const codec::Shape& shape) {
  format::FrameFormat format;
  format.rows = shape.rows;
  format.columns = shape.columns;
  format.samples = shape.samples;
  format.colour = shape.colour;
  format.bits_allocated = format.bits_stored = shape.bits;
  format.high_bit = static_cast<std::uint16_t>(shape.bits - 1);
  format.photometric = shape.samples == 3 ? "RGB" : "MONOCHROME2";
  return format;
}

TEST(FrameCodecs, ChosenForEachFrameAreTheSmallestButForAPerCentOfWhatLaneTakes) {
  Scratch scratch;
  std::map<codec::CodecId, int> chosen;
  for (const auto& [rows, columns] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {10, 10}, {16, 16}, {24, 24}, {48, 48}, {128, 128}, {1, 1400}})
    for (const std::uint16_t samples : {std::uint16_t{1}, std::uint16_t{3}})
      for (const Kind kind : {Kind::kConstant, Kind::kRamp, Kind::kNoise, Kind::kSmooth, Kind::kSparse}) {
        codec::Shape shape;
        shape.rows = rows;
        shape.columns = columns;
        shape.samples = samples;
        shape.bits = samples == 3 ? 8 : 16;
        shape.colour = samples == 3;
        const Bytes pixels = codec::testing::make_frame(shape, kind, columns);
        const auto coded = [&](CodecChoice choice) {
          return code_native(scratch, format_of(shape), 0, choice, pixels);
        };
        const CodedFrame best = coded(CodecChoice::kAuto);
        EXPECT_LE(best.stored.size(), coded(CodecChoice::kAutoLane).stored.size()) << codec::testing::describe(shape);
        EXPECT_LE(best.stored.size() * 100, coded(CodecChoice::kAutoHtj2k).stored.size() * 101)
            << codec::testing::describe(shape);
        ++chosen[best.codec];
      }
  EXPECT_GT(chosen[codec::CodecId::kLane], 0);
  EXPECT_GT(chosen[codec::CodecId::kHtj2k], 0);
}

TEST(FrameCodecs, OfTinyFramesThatOthersMakeNoSmallerAreZstdWhateverWasAskedFor) {
  Scratch scratch;
  codec::Shape shape;
  shape.rows = shape.columns = 10;
  shape.bits = 8;
  Bytes labels(100, std::byte{0});
  for (const std::size_t i : {10U, 11U, 12U, 20U, 30U, 31U, 32U, 42U, 52U, 53U}) labels[i] = std::byte{16};
  for (const CodecChoice choice :
       {CodecChoice::kAuto, CodecChoice::kAutoLane, CodecChoice::kAutoHtj2k, CodecChoice::kHtj2k, CodecChoice::kZstd}) {
    const CodedFrame coded = code_native(scratch, format_of(shape), 0, choice, labels);
    EXPECT_EQ(coded.codec, codec::CodecId::kZstd) << static_cast<int>(choice);
    EXPECT_LT(coded.stored.size(), 50U);
    Bytes back(labels.size());
    ASSERT_TRUE(scratch.codec.decode(coded.codec, shape, coded.stored, back));
    EXPECT_TRUE(back == labels);
  }
  const Bytes noise = codec::testing::make_frame(shape, Kind::kNoise, 1);
  EXPECT_EQ(code_native(scratch, format_of(shape), 0, CodecChoice::kHtj2k, noise).codec, codec::CodecId::kStored);
}

TEST(ARecipe, IsForNoMorePixelsThanItsSourceLetsExpect) {
  format::FrameFormat format;
  format.rows = 4096;
  format.columns = 5120;  // 4 MiB more than any source may have
  format.samples = 1;
  format.bits_allocated = 8;
  EXPECT_TRUE(recipe_pixels(format, 4096));
  const auto refused = recipe_pixels(format, 4095);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::kLimit);
}

}  // namespace
}  // namespace dicube::archive
