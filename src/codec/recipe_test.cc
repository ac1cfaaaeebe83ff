#include "codec/recipe.h"

#include <charls/charls.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "codec/jpeg_in_jxl.h"
#include "codec/jpeg_testing.h"
#include "codec/jxl_boxes.h"
#include "codec/testing.h"

namespace dicube::codec {
namespace {

using testing::jpeg_stream;
using testing::Kind;
using testing::make_frame;
using testing::make_shape;

Bytes decoded(CodecId codec, const Shape& shape, const Bytes& stream) {
  Workspace work;
  Bytes pixels(frame_bytes(shape).value());
  const Status done = work.decode(codec, shape, stream, pixels);
  EXPECT_TRUE(done) << describe(done.error());
  return pixels;
}

// The recipe's bytes, after a check that they give the stream.
Bytes recipe_of(CodecId codec, Recipe expected, const Shape& shape, const Bytes& stream) {
  EXPECT_EQ(recipe_for(codec, stream), expected);
  const Bytes pixels = decoded(codec, shape, stream);
  const auto recipe = make_recipe(expected, shape, pixels, stream);
  EXPECT_TRUE(recipe) << describe(recipe.error()) << testing::describe(shape);
  if (!recipe) return {};
  Bytes again;
  const Status done = follow_recipe(expected, shape, pixels, *recipe, stream.size(), again);
  EXPECT_TRUE(done) << describe(done.error());
  EXPECT_TRUE(same_bytes(again, stream)) << testing::describe(shape);
  return *recipe;
}

Bytes lossless_recipe(const Shape& shape, const Bytes& stream) {
  return recipe_of(CodecId::kJpeg, Recipe::kJpegLossless, shape, stream);
}

// Changed recipes are refused, or give as many bytes as asked for.
void expect_no_harm(Recipe kind, const Shape& shape, const Bytes& frame, const Bytes& recipe, std::size_t size) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    Bytes changed = recipe, out;
    for (unsigned i = 0; i <= random() % 3; ++i) changed[random() % changed.size()] = static_cast<std::byte>(random());
    if (round % 4 == 0) changed.resize(random() % changed.size());
    const Status done = follow_recipe(kind, shape, frame, changed, size, out);
    EXPECT_TRUE(!done || out.size() == size);
  }
}

TEST(RecipeOfLosslessJpeg, GivesBackEveryPredictorPrecisionAndPointTransform) {
  for (int predictor = 1; predictor <= 7; ++predictor)
    for (const int precision : {2, 7, 8, 9, 12, 13, 16})
      for (const int point_transform : {0, 1})
        for (const Kind kind : {Kind::kNoise, Kind::kSmooth, Kind::kExtremes, Kind::kConstant}) {
          const Shape shape = make_shape(37, 11, precision <= 8 ? 8 : 16, 1, predictor % 2 != 0);
          const Bytes stream =
              jpeg_stream(shape, {.precision = precision, .predictor = predictor, .point_transform = point_transform},
                          make_frame(shape, kind, 7));
          const Bytes recipe = lossless_recipe(shape, stream);
          EXPECT_LT(recipe.size(), 400U) << predictor << " " << precision;
        }
}

TEST(RecipeOfLosslessJpeg, GivesBackRestartIntervals) {
  for (const int rows : {1, 2, 3, 10, 11, 40})
    for (const std::uint16_t samples : {std::uint16_t{1}, std::uint16_t{3}}) {
      const Shape shape = make_shape(19, 31, 16, samples);
      const Bytes stream = jpeg_stream(shape, {.precision = 16, .predictor = 4, .restart_rows = rows},
                                       make_frame(shape, Kind::kNoise, 3));
      lossless_recipe(shape, stream);
    }
}

TEST(RecipeOfLosslessJpeg, GivesBackThreeComponentsInOneScanOrThree) {
  for (const bool one_scan : {true, false})
    for (const int precision : {8, 12, 16}) {
      const Shape shape = make_shape(23, 17, precision <= 8 ? 8 : 16, 3);
      const Bytes stream = jpeg_stream(shape, {.precision = precision, .predictor = 6, .one_scan = one_scan},
                                       make_frame(shape, Kind::kSmooth, 5));
      const Bytes recipe = lossless_recipe(shape, stream);
      ASSERT_FALSE(recipe.empty());
      EXPECT_EQ(std::to_integer<int>(recipe[0]), one_scan ? 1 : 3);
    }
}

TEST(RecipeOfLosslessJpeg, GivesBackSmallestFramesAndValuesInWiderContainers) {
  for (const auto& [columns, rows] : {std::pair{1U, 1U}, {1U, 9U}, {9U, 1U}}) {
    const Shape shape = make_shape(columns, rows, 16);
    lossless_recipe(shape, jpeg_stream(shape, {.precision = 8, .predictor = 7}, make_frame(shape, Kind::kNoise, 5)));
  }
}

TEST(RecipeOfLosslessJpeg, KeepsWhatStandsBehindTheScan) {
  const Shape shape = make_shape(20, 20, 8);
  Bytes stream = jpeg_stream(shape, {}, make_frame(shape, Kind::kNoise, 5));
  append(stream, as_bytes(std::string_view("\0padding", 8)));
  lossless_recipe(shape, stream);
  stream.resize(stream.size() - 10);  // the end marker, too
  lossless_recipe(shape, stream);
}

TEST(RecipeOfLosslessJpeg, GivesBackScansFilledUpWithZeros) {
  const Shape shape = make_shape(21, 20, 16);
  int filled = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Bytes frame = make_frame(shape, Kind::kNoise, seed);
    const Bytes ones = jpeg_stream(shape, {.precision = 16}, frame);
    Bytes recipe = lossless_recipe(shape, ones), zeros;
    ASSERT_EQ(recipe[recipe.size() - 3], std::byte{1});  // fill, FF D9
    recipe[recipe.size() - 3] = std::byte{0};
    // Some end at a whole byte, and some last bytes are FF only when filled with ones.
    if (!follow_recipe(Recipe::kJpegLossless, shape, frame, recipe, ones.size(), zeros) || zeros == ones) continue;
    EXPECT_TRUE(same_bytes(lossless_recipe(shape, zeros), recipe));
    ++filled;
  }
  EXPECT_GT(filled, 2);
}

TEST(RecipeOfLosslessJpeg, IsRefusedWhenTheScanIsAnother) {
  const Shape shape = make_shape(30, 30, 8);
  Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  const Bytes stream = jpeg_stream(shape, {}, frame);
  frame[100] ^= std::byte{1};
  EXPECT_FALSE(make_recipe(Recipe::kJpegLossless, shape, frame, stream));
}

TEST(RecipeOfLosslessJpeg, IsRefusedWhenTheTablesLackACategory) {
  const Shape shape = make_shape(30, 30, 8);
  const Bytes stream = jpeg_stream(shape, {}, Bytes(900, std::byte{7}));  // two categories
  const auto made = make_recipe(Recipe::kJpegLossless, shape, make_frame(shape, Kind::kNoise, 1), stream);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("category"), std::string::npos) << made.error().message;
}

TEST(RecipeOfLosslessJpeg, IsRefusedForOtherShapesThanTheFrames) {
  const Shape shape = make_shape(30, 20, 8);
  const Bytes frame = make_frame(shape, Kind::kNoise, 1), stream = jpeg_stream(shape, {}, frame);
  EXPECT_FALSE(make_recipe(Recipe::kJpegLossless, make_shape(20, 30, 8), frame, stream));
  EXPECT_FALSE(make_recipe(Recipe::kJpegLossless, make_shape(10, 20, 8, 3), frame, stream));
  Bytes wide(4);
  EXPECT_FALSE(make_recipe(Recipe::kJpegLossless, make_shape(1, 1, 32), wide, stream));
}

TEST(RecipeOfLosslessJpeg, ThatIsChangedGivesAnErrorOrASizeThatIsRight) {
  const Shape shape = make_shape(30, 20, 16, 3);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  const Bytes stream = jpeg_stream(shape, {.precision = 16, .restart_rows = 4, .one_scan = false}, frame);
  const Bytes recipe = lossless_recipe(shape, stream);
  expect_no_harm(Recipe::kJpegLossless, shape, frame, recipe, stream.size());
}

Bytes jpegls_stream(const Shape& shape, unsigned precision, charls::interleave_mode mode, int near,
                    const Bytes& frame) {
  charls::jpegls_encoder encoder;
  encoder.frame_info({shape.columns, shape.rows, static_cast<std::int32_t>(precision), shape.samples});
  encoder.interleave_mode(mode);
  encoder.near_lossless(near);
  Bytes stream(encoder.estimated_destination_size() + frame.size());
  encoder.destination(stream);
  stream.resize(encoder.encode(frame.data(), frame.size()));
  return stream;
}

Bytes jpegls_recipe(const Shape& shape, const Bytes& stream) {
  return recipe_of(CodecId::kJpegLs, Recipe::kJpegLs, shape, stream);
}

TEST(RecipeOfJpegLs, GivesBackEveryInterleavingAndPrecision) {
  for (const auto mode :
       {charls::interleave_mode::none, charls::interleave_mode::line, charls::interleave_mode::sample})
    for (const std::uint8_t bits : {std::uint8_t{8}, std::uint8_t{16}})
      for (const Kind kind : {Kind::kNoise, Kind::kSmooth, Kind::kConstant}) {
        const Shape shape = make_shape(33, 21, bits, 3);
        EXPECT_LT(jpegls_recipe(shape, jpegls_stream(shape, bits, mode, 0, make_frame(shape, kind, 2))).size(), 100U);
      }
  for (const unsigned precision : {9U, 12U, 15U}) {
    const Shape shape = make_shape(40, 30, 16, 1, precision == 12);
    Bytes frame = make_frame(shape, Kind::kSmooth, 3);
    for (std::size_t at = 1; at < frame.size(); at += 2)
      frame[at] &= static_cast<std::byte>((1U << (precision - 8)) - 1);
    jpegls_recipe(shape, jpegls_stream(shape, precision, charls::interleave_mode::none, 0, frame));
  }
}

TEST(RecipeOfJpegLs, KeepsOtherMarkerSegmentsAndWhatStandsBehindTheEnd) {
  const Shape shape = make_shape(33, 21, 8);
  Bytes stream = jpegls_stream(shape, 8, charls::interleave_mode::none, 0, make_frame(shape, Kind::kSmooth, 2));
  const ByteSpan comment = as_bytes(std::string_view("\xFF\xFE\x00\x07hello", 9));
  stream.insert(stream.begin() + 2, comment.begin(), comment.end());
  stream.push_back(std::byte{0});
  jpegls_recipe(shape, stream);
}

TEST(RecipeOfJpegLs, IsRefusedWhenTheScanIsAnother) {
  const Shape shape = make_shape(33, 21, 8);
  Bytes frame = make_frame(shape, Kind::kSmooth, 2);
  const Bytes stream = jpegls_stream(shape, 8, charls::interleave_mode::none, 0, frame);
  frame[50] ^= std::byte{1};
  EXPECT_FALSE(make_recipe(Recipe::kJpegLs, shape, frame, stream));
}

// CharLS asserts there: found by fuzzing.
TEST(RecipeOfJpegLs, IsRefusedForAMostValueOfItsOwn) {
  const Shape shape = make_shape(33, 21, 16);
  Bytes frame = make_frame(shape, Kind::kSmooth, 2);
  for (std::size_t at = 1; at < frame.size(); at += 2) frame[at] &= std::byte{1};
  charls::jpegls_encoder encoder;
  encoder.frame_info({shape.columns, shape.rows, 16, 1});
  encoder.preset_coding_parameters({511, 0, 0, 0, 0});
  Bytes stream(encoder.estimated_destination_size() + frame.size());
  encoder.destination(stream);
  stream.resize(encoder.encode(frame.data(), frame.size()));
  const auto made = make_recipe(Recipe::kJpegLs, shape, frame, stream);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().error_class, ErrorClass::kUnsupported);
}

TEST(RecipeOfJpegLs, ThatIsChangedGivesAnErrorOrASizeThatIsRight) {
  const Shape shape = make_shape(30, 20, 8, 3);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  const Bytes stream = jpegls_stream(shape, 8, charls::interleave_mode::none, 0, frame);
  expect_no_harm(Recipe::kJpegLs, shape, frame, jpegls_recipe(shape, stream), stream.size());
}

Bytes rle_recipe(const Shape& shape, const Bytes& stream) {
  return recipe_of(CodecId::kRle, Recipe::kRle, shape, stream);
}

Bytes rle_stream(const Shape& shape, const Bytes& frame) {
  Workspace work;
  Bytes stream;
  EXPECT_TRUE(work.encode(CodecId::kRle, shape, frame, stream));
  return stream;
}

// One segment of 8-bit values.
Bytes rle_frame(std::string_view packed) {
  Bytes stream(64);
  stream[0] = std::byte{1};
  stream[4] = std::byte{64};
  append(stream, as_bytes(packed));
  return stream;
}

TEST(RecipeOfRle, OfOurOwnEncoderIsAFewBytes) {
  for (const std::uint8_t bits : {std::uint8_t{8}, std::uint8_t{16}, std::uint8_t{32}})
    for (const std::uint16_t samples : {std::uint16_t{1}, std::uint16_t{3}})
      for (const Kind kind : {Kind::kConstant, Kind::kSparse, Kind::kExtremes, Kind::kSmooth}) {
        const Shape shape = make_shape(150, 20, bits, samples);
        const std::size_t segments = samples * bits / 8U;
        EXPECT_LT(rle_recipe(shape, rle_stream(shape, make_frame(shape, kind, 1))).size(), 1 + segments * (2 + 60))
            << testing::describe(shape);
      }
}

TEST(RecipeOfRle, GivesBackEncodersOfEveryHabit) {
  using namespace std::string_view_literals;
  const Shape shape = make_shape(5, 2, 8);
  // aabbb ccccc
  EXPECT_EQ(rle_recipe(shape, rle_frame("\xFF"
                                        "a\xFE"
                                        "b\xFC"
                                        "c"sv))
                .size(),
            3U);
  EXPECT_EQ(rle_recipe(shape, rle_frame("\x01"
                                        "aa\xFE"
                                        "b\xFC"
                                        "c\0"sv))
                .size(),
            3U);
  rle_recipe(shape, rle_frame("\x04"
                              "aabbb\x04"
                              "ccccc"sv));
  rle_recipe(shape, rle_frame("\x80\x80\x09"
                              "aabbbccccc\x80"sv));
  rle_recipe(shape, rle_frame("\x00"
                              "a\x00"
                              "a\xFE"
                              "b\xFC"
                              "c padding"sv));
  // aaabb bbbcc: runs across rows
  EXPECT_EQ(rle_recipe(shape, rle_frame("\xFE"
                                        "a\xFC"
                                        "b\xFF"
                                        "c"sv))
                .size(),
            3U);
}

// A row as encoders pack it that compare vectors: those of 16 equal bytes become runs.
void pack_by_vectors(ByteSpan row, Bytes& out) {
  const auto is_equal = [&](std::size_t i) {
    return i + 16 <= row.size() && std::all_of(&row[i], &row[i] + 16, [&](std::byte b) { return b == row[i]; });
  };
  for (std::size_t i = 0, end = 0; i < row.size(); i = end) {
    const bool run = is_equal(i);
    for (end = i + 16; end < row.size() && end - i < 128; end += 16)
      if (run ? !is_equal(end) || row[end] != row[i] : is_equal(end)) break;
    end = std::min(end, row.size());
    out.push_back(static_cast<std::byte>(run ? 257 - (end - i) : end - i - 1));
    append(out, row.subspan(i, run ? 1 : end - i));
  }
}

Bytes rle_by_vectors(const Shape& shape, const Bytes& frame) {
  const std::size_t width = shape.bits / 8U, segments = shape.samples * width;
  Bytes stream(64), row(shape.columns);
  stream[0] = static_cast<std::byte>(segments);
  for (std::size_t s = 0; s < segments; ++s) {
    store_le(stream.data() + 4 * (s + 1), static_cast<std::uint32_t>(stream.size()));
    const std::byte* from = frame.data() + s / width * width + (width - 1 - s % width);
    for (std::size_t y = 0; y < shape.rows; ++y) {
      for (std::byte& value : row) {
        value = *from;
        from += segments;
      }
      pack_by_vectors(row, stream);
    }
    if (stream.size() % 2 != 0) stream.push_back(std::byte{0});
  }
  return stream;
}

TEST(RecipeOfRle, OfAnEncoderThatComparesVectorsIsAFewBytes) {
  for (const std::uint32_t columns : {5U, 16U, 17U, 160U, 800U, 1023U})
    for (const std::uint8_t bits : {std::uint8_t{8}, std::uint8_t{16}})
      for (const std::uint16_t samples : {std::uint16_t{1}, std::uint16_t{3}})
        for (const Kind kind : {Kind::kConstant, Kind::kSparse, Kind::kSmooth, Kind::kNoise}) {
          const Shape shape = make_shape(columns, 20, bits, samples);
          const std::size_t segments = samples * bits / 8U;
          EXPECT_EQ(rle_recipe(shape, rle_by_vectors(shape, make_frame(shape, kind, 1))).size(), 1 + 2 * segments)
              << testing::describe(shape);
        }
}

TEST(RecipeOfRle, LeavesFewerBytesThanAVectorAsTheyAre) {
  using namespace std::string_view_literals;
  const Shape shape = make_shape(37, 2, 8);
  // 32 a, 5 a, in each row; then 64 a and 10 across rows
  const Bytes by_rows = rle_recipe(shape, rle_frame("\xE1"
                                                    "a\x04"
                                                    "aaaaa\xE1"
                                                    "a\x04"
                                                    "aaaaa"sv));
  EXPECT_TRUE(same_bytes(by_rows, as_bytes("\x0C\0\0"sv)));
  const Bytes across = rle_recipe(shape, rle_frame("\xC1"
                                                   "a\x09"
                                                   "aaaaaaaaaa\0"sv));
  EXPECT_TRUE(same_bytes(across, as_bytes("\x08\0\0"sv)));
}

TEST(RecipeOfRle, ByAnUnknownRuleIsRefusedAsUnsupported) {
  const Shape shape = make_shape(5, 2, 8);
  for (const int rule : {9, 11, 13, 16, 255}) {
    Bytes out;
    const Bytes recipe = {static_cast<std::byte>(rule), std::byte{0}, std::byte{0}};
    const Status done = follow_recipe(Recipe::kRle, shape, Bytes(10), recipe, 66, out);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().error_class, ErrorClass::kUnsupported);
  }
}

TEST(RecipeOfRle, IsRefusedForHeadersThatFollowFromNothing) {
  const Shape shape = make_shape(5, 2, 8);
  Bytes stream =
      rle_frame(std::string_view("\xF7"
                                 "a"));
  const Bytes frame(10, std::byte{'a'});
  EXPECT_TRUE(make_recipe(Recipe::kRle, shape, frame, stream));
  stream[40] = std::byte{1};
  EXPECT_FALSE(make_recipe(Recipe::kRle, shape, frame, stream));
  stream.resize(30);
  EXPECT_FALSE(make_recipe(Recipe::kRle, shape, frame, stream));
}

TEST(RecipeOfRle, ThatIsChangedGivesAnErrorOrASizeThatIsRight) {
  const Shape shape = make_shape(30, 20, 16, 3);
  const Bytes frame = make_frame(shape, Kind::kSparse, 1), stream = rle_stream(shape, frame);
  expect_no_harm(Recipe::kRle, shape, frame, rle_recipe(shape, stream), stream.size());
}

TEST(JpegInJxl, GivesBackLossyCodestreamsAndTheirPixels) {
  for (const std::uint16_t samples : {std::uint16_t{1}, std::uint16_t{3}})
    for (const bool progressive : {false, true})
      for (const int restart_rows : {0, 1}) {
        const Shape shape = make_shape(75, 50, 8, samples);
        const Bytes stream =
            jpeg_stream(shape, {.lossless = false, .restart_rows = restart_rows, .progressive = progressive},
                        make_frame(shape, Kind::kSmooth, 1));
        EXPECT_EQ(recipe_for(CodecId::kJpeg, stream), Recipe::kJpegInXl);
        const auto file = jpeg_to_jxl(shape, stream);
        const bool has_other_intervals = samples == 3 && progressive && restart_rows > 0;  // of its scans, in blocks
        ASSERT_EQ(file.has_value(), !has_other_intervals);
        if (!file) continue;
        Bytes again;
        ASSERT_TRUE(jpeg_from_jxl(shape, *file, stream.size(), again));
        EXPECT_TRUE(same_bytes(again, stream));
        EXPECT_TRUE(same_bytes(decoded(CodecId::kJpegInXl, shape, *file), decoded(CodecId::kJpeg, shape, stream)));
        EXPECT_FALSE(jpeg_from_jxl(shape, *file, stream.size() - 1, again));
        EXPECT_FALSE(jpeg_from_jxl(make_shape(50, 75, 8, samples), *file, stream.size(), again));
      }
}

TEST(JpegInJxl, GivesBackCodestreamsOfManyTimesItsFirstBuffer) {
  const Shape shape = make_shape(1024, 1000, 8);
  Bytes frame = make_frame(shape, Kind::kNoise, 1);
  const Bytes stream = jpeg_stream(shape, {.lossless = false, .quality = 100}, frame);
  ASSERT_GT(stream.size(), 1000000U);
  const Bytes file = jpeg_to_jxl(shape, stream).value();
  Bytes again(3, std::byte{7});
  ASSERT_TRUE(jpeg_from_jxl(shape, file, stream.size(), again));
  EXPECT_TRUE(same_bytes(ByteSpan(again).subspan(3), stream));
  const Status done = jpeg_from_jxl(shape, file, stream.size() - 1, again);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error_class, ErrorClass::kCodec);
  EXPECT_EQ(again.size(), 3 + stream.size());
}

TEST(JpegInJxl, IsRefusedForOtherCodestreams) {
  const Shape shape = make_shape(16, 16, 16);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  EXPECT_FALSE(jpeg_to_jxl(shape, jpeg_stream(shape, {.precision = 12, .lossless = false}, frame)));
  EXPECT_FALSE(jpeg_to_jxl(shape, jpeg_stream(shape, {.precision = 16}, frame)));
  EXPECT_FALSE(jpeg_to_jxl(shape, frame));
}

// libjxl takes 20 to 26 bytes for each value, and packing has 256 MB.
TEST(JpegInJxl, IsRefusedForFramesThatWouldTakeTooMuchMemory) {
  const Shape shape = make_shape(4096, 2305, 8);
  const auto file = jpeg_to_jxl(shape, jpeg_stream(shape, {.lossless = false}, make_frame(shape, Kind::kSmooth, 1)));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().error_class, ErrorClass::kUnsupported);
}

TEST(JpegInJxl, ThatCarriesNoJpegOrIsDamagedIsRefused) {
  const Shape shape = make_shape(40, 30, 8);
  const Bytes frame = make_frame(shape, Kind::kSmooth, 1);
  Workspace work;
  Bytes plain, out;
  ASSERT_TRUE(work.encode(CodecId::kJpegXl, shape, frame, plain));
  EXPECT_FALSE(jpeg_from_jxl(shape, plain, 1 << 20, out));
  const Bytes file = jpeg_to_jxl(shape, jpeg_stream(shape, {.lossless = false}, frame)).value();
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Bytes changed = file, pixels(frame.size());
    changed[random() % changed.size()] ^= static_cast<std::byte>(1U << random() % 8);
    if (round % 4 == 0) changed.resize(random() % changed.size());
    static_cast<void>(work.decode(CodecId::kJpegInXl, shape, changed, pixels));
    out.clear();
    const Status done = jpeg_from_jxl(shape, changed, 5000, out);
    EXPECT_TRUE(!done || out.size() <= 5000);
  }
}

// A segment behind SOI.
Bytes with_segment(Bytes stream, std::uint8_t marker, std::string_view content) {
  Bytes segment = {std::byte{0xFF}, std::byte{marker}, static_cast<std::byte>((content.size() + 2) >> 8),
                   static_cast<std::byte>(content.size() + 2)};
  append(segment, as_bytes(content));
  stream.insert(stream.begin() + 2, segment.begin(), segment.end());
  return stream;
}

TEST(JpegInJxl, GivesBackOtherSegmentsButExif) {
  using namespace std::string_view_literals;
  const Shape shape = make_shape(40, 30, 8, 3);
  const Bytes stream = jpeg_stream(shape, {.lossless = false}, make_frame(shape, Kind::kSmooth, 1));
  const std::string exif = std::string("Exif\0\0II*\0\x08\0\0\0\0\0"sv) + std::string(500, 'e');
  for (const Bytes& other :
       {with_segment(stream, 0xFE, "a comment"), with_segment(stream, 0xE7, std::string(3000, 'x'))}) {
    const auto file = jpeg_to_jxl(shape, other);
    ASSERT_TRUE(file) << describe(file.error());
    Bytes again;
    ASSERT_TRUE(jpeg_from_jxl(shape, *file, other.size(), again));
    EXPECT_TRUE(same_bytes(again, other));
  }
  // JPEG XL has it in a compressed box, which is not looked into.
  EXPECT_FALSE(jpeg_to_jxl(shape, with_segment(stream, 0xE1, exif)));
}

Bytes jxl_file(std::initializer_list<std::pair<std::string_view, std::size_t>> boxes) {
  Bytes file;
  for (const auto& [type, size] : boxes) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) file.push_back(static_cast<std::byte>((size + 8) >> shift));
    append(file, as_bytes(type));
    file.resize(file.size() + size, std::byte{0xEB});
  }
  return file;
}

TEST(JpegInJxl, ThatAnnouncesSegmentsOutOfProportionIsRefused) {
  EXPECT_FALSE(announced_jpeg_bytes(jxl_file({{"JXL ", 4}, {"brob", 100}, {"jbrd", 100}})));
  EXPECT_FALSE(announced_jpeg_bytes(jxl_file({{"JXL ", 4}})));
  EXPECT_FALSE(announced_jpeg_bytes(jxl_file({{"jbrd", 100}, {"jbrd", 100}})));
  Bytes cut = jxl_file({{"jbrd", 100}});
  cut.resize(50);
  EXPECT_FALSE(announced_jpeg_bytes(cut));
  // One component; APP0, a thousand times; EOI: 6 bits each, lowest first. Then kinds of 2 bits and sizes of 16.
  std::vector<bool> bits = {true};
  const auto put = [&](unsigned value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bits.push_back((value >> i & 1U) != 0);
  };
  for (int i = 0; i < 1000; ++i) put(0xE0 - 0xC0, 6);
  put(0xD9 - 0xC0, 6);
  for (int i = 0; i < 1000; ++i) put(0, 2), put(0xFFFF, 16);
  Bytes file = jxl_file({{"JXL ", 4}, {"jbrd", bits.size() / 8 + 1}}), out;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    std::byte& byte = file[20 + i / 8];
    byte = (byte & ~(std::byte{1} << (i % 8))) | (bits[i] ? std::byte{1} << (i % 8) : std::byte{0});
  }
  EXPECT_EQ(announced_jpeg_bytes(file).value(), 65536000U);
  const Status done = jpeg_from_jxl(make_shape(40, 30, 8), file, 1 << 20, out);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("65536000"), std::string::npos) << done.error().message;
}

TEST(JpegInJxl, ThatAnnouncesPixelsOutOfProportionIsRefused) {
  Bytes out;
  const Status done = jpeg_from_jxl(make_shape(65000, 65000, 8, 3), Bytes(100), 1 << 20, out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error_class, ErrorClass::kLimit);
}

TEST(ARecipe, ThatIsUnknownIsRefusedAsUnsupported) {
  const Shape shape = make_shape(3, 2, 8);
  Bytes out;
  const Status done = follow_recipe(static_cast<Recipe>(99), shape, Bytes(6), {}, 6, out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error_class, ErrorClass::kUnsupported);
}

}  // namespace
}  // namespace dicube::codec
