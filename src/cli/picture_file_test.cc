#include "cli/picture_file.h"

#include <gtest/gtest.h>

#include <random>

namespace dicube::cli {
namespace {

// Noise is what compresses worst.
Canvas noise(std::uint32_t rows, std::uint32_t columns, bool grey) {
  std::mt19937 random(5);
  Canvas canvas(rows, columns);
  for (std::size_t i = 0; i < canvas.rgb.size(); ++i)
    canvas.rgb[i] = grey && i % 3 != 0 ? canvas.rgb[i - 1] : static_cast<std::uint8_t>(random());
  return canvas;
}

TEST(AThumbnail, TakesTenKilobytesAtMostAsJpegWhateverIsInIt) {
  for (const bool grey : {false, true}) {
    const auto jpeg = jpeg_bytes(noise(256, 256, grey));
    ASSERT_TRUE(jpeg) << describe(jpeg.error());
    EXPECT_LE(jpeg->size(), 10'000U);
    EXPECT_EQ(as_text(*jpeg).substr(0, 3), "\xFF\xD8\xFF");
    EXPECT_EQ(as_text(*jpeg).substr(jpeg->size() - 2), "\xFF\xD9");
  }
}

TEST(AThumbnail, OfAFlatPictureHasTheBestQualityAndALargeOneMayTakeMore) {
  EXPECT_LE(jpeg_bytes(Canvas(256, 256)).value().size(), 1000U);
  const auto large = jpeg_bytes(noise(1024, 1024, true));
  ASSERT_TRUE(large);
  EXPECT_GT(large->size(), 100'000U);
  EXPECT_LE(large->size(), 160'000U);
}

TEST(APicture, InGreysHasOneChannel) {
  EXPECT_LE(png_bytes(noise(64, 64, true)).value().size(), 64U * 64 + 64 + 100);
  EXPECT_GT(png_bytes(noise(64, 64, false)).value().size(), 64U * 64 * 3);
}

TEST(APicture, ThatAJpegCanNotHoldIsAnErrorAndNoEndOfTheProgram) {
  EXPECT_FALSE(jpeg_bytes(Canvas(1, 70'000)));
  EXPECT_FALSE(jpeg_bytes(Canvas(0, 0)));
}

}  // namespace
}  // namespace dicube::cli
