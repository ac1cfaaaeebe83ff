// Whole files: preamble, meta group, transfer syntax, deflate, trailing bytes, partial files.
#include "dicom/tokenizer.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dicom/testing.h"

namespace dicube::dicom {
namespace {

using testing::FileBuilder;

// The tokens of a file, which must reassemble.
Tokens tokens_of(ByteSpan file, const TokenizeOptions& options = {}) {
  auto tokens = tokenize(file, options);
  if (!tokens) {
    ADD_FAILURE() << tokens.error().message;
    return {};
  }
  EXPECT_EQ(testing::reassemble(*tokens, file), testing::inflated(*tokens, file));
  return std::move(*tokens);
}

std::string reason(const Tokens& tokens) { return tokens.stop ? tokens.stop->reason : "no stop"; }

std::vector<Tag> tags(const std::vector<Token>& tokens) {
  std::vector<Tag> all;
  for (const Token& token : tokens) all.push_back(token.tag);
  return all;
}

// A data set of two elements, and the same behind a meta group.
Bytes two_elements(Encoding encoding) {
  return FileBuilder(encoding).text(kModality, "CS", "CT").text(0x00100010, "PN", "Name").take();
}
Bytes file_of(std::string_view transfer_syntax, ByteSpan data) {
  return FileBuilder().meta(transfer_syntax).raw(data).take();
}
void expect_two_elements(const Tokens& tokens, Encoding encoding) {
  EXPECT_EQ(tokens.encoding, encoding);
  EXPECT_EQ(tags(tokens.data), (std::vector<Tag>{kModality, 0x00100010}));
  EXPECT_FALSE(tokens.stop) << reason(tokens);
}

constexpr Encoding kAllEncodings[] = {Encoding::kExplicitLittle, Encoding::kImplicitLittle, Encoding::kExplicitBig};

TEST(Tokenizer, EverySampleReassemblesToItsBytesWithoutAStop) {
  for (const Bytes& file : testing::sample_files()) {
    const Tokens tokens = tokens_of(file);
    EXPECT_FALSE(tokens.stop) << reason(tokens);
    EXPECT_EQ(tokens.end, tokens.data_bytes(file).size());
    EXPECT_FALSE(tokens.data.empty());
  }
}

TEST(Tokenizer, EverySampleCutAtAnyByteReassemblesToTheBytesThatAreLeft) {
  for (const Bytes& file : testing::sample_files())
    for (std::size_t size = 0; size < file.size(); ++size) {
      const ByteSpan cut = ByteSpan(file).first(size);
      auto tokens = tokenize(cut);
      if (!tokens) {
        EXPECT_EQ(tokens.error().error_class, ErrorClass::kNotDicom);
        continue;
      }
      ASSERT_EQ(testing::reassemble(*tokens, cut), testing::inflated(*tokens, cut)) << size;
      ASSERT_EQ(tokens->stop.has_value(), tokens->deflated || tokens->end != size) << size;
    }
}

TEST(Tokenizer, TheFirstBytesOfEverySampleGiveTheElementsThatAreCompleteAndNoStop) {
  for (const Bytes& file : testing::sample_files()) {
    const Tokens whole = tokens_of(file);
    for (std::size_t size = 0; size < file.size(); ++size) {
      auto tokens = tokenize(ByteSpan(file).first(size), {.file_size = file.size()});
      if (!tokens) {
        ASSERT_LT(size, 132U);
        continue;
      }
      ASSERT_FALSE(tokens->stop) << size << ": " << reason(*tokens);
      const auto all = tags(whole.data), seen = tags(tokens->data);
      ASSERT_LE(seen.size(), all.size());
      ASSERT_TRUE(std::equal(seen.begin(), seen.end(), all.begin())) << size;
      if (tokens->data.empty()) continue;
      // The next top-level element reaches beyond the bytes.
      const std::uint64_t next = seen.size() < all.size() ? whole.data[seen.size()].header : whole.end;
      ASSERT_EQ(tokens->end, next);
    }
  }
}

TEST(Tokenizer, TheMetaGroupIsToldFromTheDataSet) {
  const Bytes file = file_of(testing::kImplicitLittleUid, two_elements(Encoding::kImplicitLittle));
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tokens.preamble, 132U);
  EXPECT_EQ(tags(tokens.meta), (std::vector<Tag>{0x00020000, 0x00020001, 0x00020010}));
  EXPECT_EQ(tokens.transfer_syntax, "1.2.840.10008.1.2");
  EXPECT_EQ(tokens.data_begin, file.size() - two_elements(Encoding::kImplicitLittle).size());
  expect_two_elements(tokens, Encoding::kImplicitLittle);
}

TEST(Tokenizer, AMetaGroupWithoutPreambleIsAccepted) {
  const Bytes file = FileBuilder().meta_group(testing::kExplicitLittleUid).text(kModality, "CS", "CT").take();
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tokens.preamble, 0U);
  EXPECT_EQ(tokens.meta.size(), 3U);
  EXPECT_EQ(tags(tokens.data), std::vector<Tag>{kModality});
}

TEST(Tokenizer, AMetaGroupBehindADamagedPrefixIsReadAndTheDefectIsTold) {
  const Bytes whole = FileBuilder().meta(testing::kExplicitLittleUid).text(kModality, "CS", "CT").take();
  EXPECT_FALSE(first_defect(tokens_of(whole)));
  for (const std::size_t at : {128, 129, 130, 131})
    for (const unsigned flip : {1U, 0x20U, 0x80U}) {
      Bytes file = whole;
      file[at] ^= std::byte(flip);
      const Tokens tokens = tokens_of(file);
      EXPECT_EQ(tokens.preamble, 132U);
      EXPECT_EQ(tokens.meta.size(), 3U);
      EXPECT_EQ(tags(tokens.data), std::vector<Tag>{kModality});
      ASSERT_TRUE(first_defect(tokens));
      EXPECT_EQ(first_defect(tokens)->offset, 128U);
    }
  Bytes text(132, std::byte{'a'});
  append(text, ByteSpan(whole).subspan(132));
  EXPECT_TRUE(tokenize(text)) << "whatever stands in the preamble";
  text[132 + 4] = std::byte{'O'};  // (0002,0000) as OL
  EXPECT_FALSE(tokenize(text)) << "a meta group begins as the standard says";
}

TEST(Tokenizer, ThePrefixsLettersInAValueOfAFileWithoutPreambleAreOnlyThat) {
  for (Encoding encoding : kAllEncodings) {
    FileBuilder file(encoding);
    file.element(0x00080008, "CS", Bytes(12, std::byte{'A'}));
    const std::size_t header = file.take().size() - 12;
    Bytes value(300, std::byte{'#'});
    std::ranges::copy(as_bytes("DICM"), value.begin() + static_cast<std::ptrdiff_t>(128 - header));
    file = FileBuilder(encoding);
    const Bytes bytes = file.element(0x00080008, "CS", value).text(kModality, "CS", "CT").take();
    ASSERT_TRUE(has_prefix(bytes));
    const Tokens tokens = tokens_of(bytes);
    EXPECT_EQ(tokens.preamble, 0U);
    EXPECT_EQ(tags(tokens.data), (std::vector<Tag>{0x00080008, kModality}));
  }
}

TEST(Tokenizer, APreambleWithoutMetaGroupIsAccepted) {
  for (Encoding encoding : kAllEncodings) {
    const Tokens tokens = tokens_of(FileBuilder().preamble().raw(two_elements(encoding)).take());
    EXPECT_TRUE(tokens.meta.empty());
    EXPECT_EQ(tokens.transfer_syntax, "");
    expect_two_elements(tokens, encoding);
  }
}

TEST(Tokenizer, ADataSetWithoutPreambleAndMetaGroupIsAccepted) {
  for (Encoding encoding : kAllEncodings) expect_two_elements(tokens_of(two_elements(encoding)), encoding);
}

TEST(Tokenizer, AWrongTransferSyntaxIsOverruledByTheFirstElement) {
  for (Encoding encoding : kAllEncodings)
    for (std::string_view declared :
         {testing::kImplicitLittleUid, testing::kExplicitLittleUid, testing::kExplicitBigUid, testing::kDeflatedUid}) {
      const Tokens tokens = tokens_of(file_of(declared, two_elements(encoding)));
      EXPECT_FALSE(tokens.deflated);
      expect_two_elements(tokens, encoding);
    }
}

TEST(Tokenizer, AWrongGroupLengthOfTheMetaGroupIsIgnored) {
  for (std::uint32_t length : {0U, 4U, 1000000U, 0xFFFFFFFFU}) {
    const Bytes file = FileBuilder()
                           .preamble()
                           .u32(0x00020000, "UL", {length})
                           .text(0x00020010, "UI", testing::kExplicitLittleUid)
                           .raw(two_elements(Encoding::kExplicitLittle))
                           .take();
    const Tokens tokens = tokens_of(file);
    EXPECT_EQ(tokens.meta.size(), 2U);
    expect_two_elements(tokens, Encoding::kExplicitLittle);
  }
}

TEST(Tokenizer, AMissingGroupLengthOfTheMetaGroupDoesNotMatter) {
  const Bytes file = FileBuilder()
                         .preamble()
                         .text(0x00020010, "UI", testing::kImplicitLittleUid)
                         .raw(two_elements(Encoding::kImplicitLittle))
                         .take();
  expect_two_elements(tokens_of(file), Encoding::kImplicitLittle);
}

TEST(Tokenizer, AMetaGroupInImplicitVrIsReadAsSuch) {
  const Bytes file = FileBuilder(Encoding::kImplicitLittle)
                         .preamble()
                         .text(0x00020010, "UI", testing::kImplicitLittleUid)
                         .raw(two_elements(Encoding::kImplicitLittle))
                         .take();
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tokens.transfer_syntax, testing::kImplicitLittleUid);
  expect_two_elements(tokens, Encoding::kImplicitLittle);
}

TEST(Tokenizer, AMetaElementBeyondTheEndOfTheFileStopsThere) {
  const Bytes file =
      FileBuilder().preamble().text(0x00020010, "UI", "1.2").header(0x00020012, "UI", 40).raw("1.2.3").take();
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tokens.meta.size(), 1U);
  EXPECT_EQ(tokens.end, 132U + 12);
  EXPECT_EQ(reason(tokens), "(0002,0012) at byte 144 has a length of 40 but 5 bytes are left");
}

TEST(Tokenizer, OneByteThatIsLeftIsOneByte) {
  const Bytes file = FileBuilder().meta(testing::kExplicitLittleUid).header(kPixelData, "OW", 8).raw("1").take();
  EXPECT_TRUE(reason(tokens_of(file)).ends_with("has a length of 8 but 1 byte is left")) << reason(tokens_of(file));
}

TEST(Tokenizer, AFileOfThePrefixAloneIsAnEmptyDataSet) {
  const Tokens tokens = tokens_of(FileBuilder().preamble().take());
  EXPECT_EQ(tokens.end, 132U);
  EXPECT_FALSE(tokens.stop);
}

TEST(Tokenizer, WhatIsNoDicomIsRefused) {
  const std::string text =
      "# A read-me file\nthat is longer than the 132 bytes of a preamble, so that every byte of the "
      "place where the prefix would stand is there, and none is DICM.\n";
  for (const Bytes& file : {Bytes(), Bytes(7), Bytes(100), Bytes(5000), Bytes(5000, std::byte{0xFF}),
                            Bytes(as_bytes(text).begin(), as_bytes(text).end())}) {
    auto tokens = tokenize(file);
    ASSERT_FALSE(tokens.has_value());
    EXPECT_EQ(tokens.error().error_class, ErrorClass::kNotDicom);
  }
}

TEST(Tokenizer, TrailingZerosAreTheTail) {
  for (Encoding encoding : kAllEncodings)
    for (std::size_t zeros : {1U, 7U, 8U, 9U, 512U}) {
      Bytes file = file_of(testing::kExplicitLittleUid, two_elements(encoding));
      const std::size_t end = file.size();
      file.resize(end + zeros);
      const Tokens tokens = tokens_of(file);
      EXPECT_EQ(tokens.data.size(), 2U);
      EXPECT_EQ(tokens.end, end);
      ASSERT_TRUE(tokens.stop);
      EXPECT_EQ(tokens.stop->offset, end);
    }
}

TEST(Tokenizer, TrailingTextIsTheTail) {
  Bytes file = file_of(testing::kExplicitLittleUid, two_elements(Encoding::kExplicitLittle));
  const std::size_t end = file.size();
  append(file, as_bytes("</some other protocol's end>"));
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tokens.data.size(), 2U);
  EXPECT_EQ(tokens.end, end);
  EXPECT_TRUE(tokens.stop);
}

TEST(Tokenizer, TheDataSetTrailingPaddingIsAnElement) {
  const Bytes file = FileBuilder()
                         .meta(testing::kExplicitLittleUid)
                         .element(kPixelData, "OW", Bytes(8))
                         .element(0xFFFCFFFC, "OB", Bytes(100))
                         .take();
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tags(tokens.data), (std::vector<Tag>{kPixelData, 0xFFFCFFFC}));
  EXPECT_FALSE(tokens.stop);
}

TEST(Tokenizer, PixelDataLongerThanTheFileStopsAtItsHeader) {
  const Bytes file = FileBuilder()
                         .meta(testing::kExplicitLittleUid)
                         .text(kModality, "CS", "CT")
                         .header(kPixelData, "OW", 0x80000)
                         .raw(Bytes(1000))
                         .take();
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tags(tokens.data), std::vector<Tag>{kModality});
  EXPECT_EQ(tokens.end, file.size() - 1012);
  EXPECT_EQ(tokens.stop->offset, tokens.end);
  EXPECT_NE(reason(tokens).find("(7FE0,0010)"), std::string::npos);
  EXPECT_NE(reason(tokens).find("a length of 524288 but 1000 bytes are left"), std::string::npos);
}

TEST(Tokenizer, ALengthBeyondTheStatedFileSizeStopsAlsoWhenOnlyTheFirstBytesAreAtHand) {
  const Bytes file = FileBuilder().meta(testing::kExplicitLittleUid).header(kPixelData, "OW", 0x80000).take();
  EXPECT_TRUE(tokens_of(file, {.file_size = file.size() + 0x7FFFF}).stop);
  EXPECT_FALSE(tokens_of(file, {.file_size = file.size() + 0x80000}).stop);
}

TEST(Tokenizer, ReadingCanEndBeforeThePixelsOfTheDataSetButNotBeforeThoseOfAnIcon) {
  for (Tag pixels : {kPixelData, kFloatPixelData, kDoubleFloatPixelData}) {
    const Bytes file = FileBuilder()
                           .meta(testing::kExplicitLittleUid)
                           .sequence(0x00880200)
                           .item()
                           .element(kPixelData, "OW", Bytes(8))
                           .end()
                           .end()
                           .element(pixels, "OW", Bytes(8))
                           .take();
    const Tokens tokens = tokens_of(file, {.stop_before_pixels = true});
    EXPECT_EQ(tags(tokens.data), (std::vector<Tag>{0x00880200, 0xFFFEE000, kPixelData, 0xFFFEE00D, 0xFFFEE0DD}));
    EXPECT_EQ(tokens.end, file.size() - 20);
    EXPECT_FALSE(tokens.stop);
  }
}

// Compressed by zlib. `window_bits`: -15 for a raw stream, 15 for a zlib stream.
Bytes compress(ByteSpan bytes, int window_bits) {
  z_stream state = {};
  EXPECT_EQ(deflateInit2(&state, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(deflateBound(&state, static_cast<uLong>(bytes.size())));
  state.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  state.avail_in = static_cast<uInt>(bytes.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&state, Z_FINISH), Z_STREAM_END);
  out.resize(state.total_out);
  deflateEnd(&state);
  return out;
}

TEST(Tokenizer, ADeflatedDataSetIsInflated) {
  for (int window_bits : {-15, 15}) {
    const Bytes data = two_elements(Encoding::kExplicitLittle);
    Bytes file = file_of(testing::kDeflatedUid, compress(data, window_bits));
    const Tokens tokens = tokens_of(file);
    EXPECT_TRUE(tokens.deflated);
    EXPECT_EQ(tokens.inflated, data);
    EXPECT_EQ(tokens.deflated_end, file.size());
    EXPECT_EQ(tokens.end, data.size());
    expect_two_elements(tokens, Encoding::kExplicitLittle);
  }
}

TEST(Tokenizer, OneNulPadsADeflateStreamOfOddLengthAndMoreIsAStop) {
  Bytes file = file_of(testing::kDeflatedUid, testing::deflated(two_elements(Encoding::kExplicitLittle)));
  ASSERT_EQ(file.size() % 2, 1U);
  file.resize(file.size() + 1);
  EXPECT_FALSE(tokens_of(file).stop);
  file.resize(file.size() + 1);
  const Tokens tokens = tokens_of(file);
  EXPECT_EQ(tokens.data.size(), 2U);
  EXPECT_EQ(tokens.deflated_end, file.size() - 2);
  EXPECT_NE(reason(tokens).find("but 2 bytes follow"), std::string::npos);
}

TEST(Tokenizer, AChecksumOfTheDataBehindADeflateStreamIsNoStopAndOneOfOtherDataIs) {
  const Bytes data = two_elements(Encoding::kExplicitLittle);
  const Bytes file = file_of(testing::kDeflatedUid, testing::deflated(data));
  const auto crc = static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
  const auto with = [&](std::uint32_t sum, std::size_t size, std::string_view more) {
    Bytes out = file;
    out.resize(file.size() + 8);
    store_le(out.data() + file.size(), sum);
    store_le(out.data() + file.size() + 4, static_cast<std::uint32_t>(size));
    append(out, as_bytes(more));
    return tokens_of(out);
  };
  EXPECT_FALSE(with(crc, data.size(), "").stop);
  EXPECT_FALSE(with(crc, data.size(), {"\0", 1}).stop) << "padded";
  EXPECT_NE(reason(with(crc + 1, data.size(), "")).find("but 8 bytes follow"), std::string::npos);
  EXPECT_NE(reason(with(crc, data.size() + 1, "")).find("but 8 bytes follow"), std::string::npos);
  EXPECT_NE(reason(with(crc, data.size(), "more")).find("but 12 bytes follow"), std::string::npos);
}

TEST(Tokenizer, ADeflateStreamThatBeginsLikeTheMetaGroupIsNotTakenForIt) {
  // A fixed Huffman block begins with 2 in its lowest bits; here the bytes 02 00 open a stream by accident.
  FileBuilder file;
  file.meta(testing::kDeflatedUid).raw(std::string_view("\x02\x00\x10\x00\xFF\xFF", 6));
  const Tokens tokens = tokens_of(file.bytes());
  EXPECT_EQ(tokens.meta.size(), 3U);
  EXPECT_EQ(tokens.data_begin, file.size() - 6);
}

TEST(Tokenizer, ADeflateStreamThatBreaksOffGivesTheElementsInFrontAndAStop) {
  const Bytes stream = testing::deflated(two_elements(Encoding::kExplicitLittle));
  const Tokens tokens = tokens_of(file_of(testing::kDeflatedUid, ByteSpan(stream).first(stream.size() - 2)));
  EXPECT_TRUE(tokens.deflated);
  EXPECT_EQ(tags(tokens.data), std::vector<Tag>{kModality});
  EXPECT_NE(reason(tokens).find("cut off"), std::string::npos);
}

TEST(Tokenizer, ADamagedDeflateStreamGivesTheElementsInFrontAndAStop) {
  Bytes stream = testing::deflated(two_elements(Encoding::kExplicitLittle));
  stream[0] = std::byte{0};  // not the last block, and behind it is none
  append(stream, as_bytes("\x07\x07"));
  const Tokens tokens = tokens_of(file_of(testing::kDeflatedUid, stream));
  EXPECT_EQ(tokens.data.size(), 2U);
  EXPECT_NE(reason(tokens).find("damaged"), std::string::npos);
}

TEST(Tokenizer, ADeflateBombIsRefused) {
  FileBuilder data;
  data.element(kPixelData, "OW", Bytes(10 << 20));
  const Bytes file = file_of(testing::kDeflatedUid, compress(data.bytes(), -15));
  EXPECT_LT(file.size(), 20000U);
  auto tokens = tokenize(file, {.max_inflated = 10 << 20});
  ASSERT_FALSE(tokens.has_value());
  EXPECT_EQ(tokens.error().error_class, ErrorClass::kLimit);
  EXPECT_TRUE(tokenize(file, {.max_inflated = data.size()}).has_value());
}

TEST(Tokenizer, ADeflatedDataSetOfAThousandTimesItsSizeIsRefused) {
  FileBuilder data;
  data.element(kPixelData, "OW", Bytes(144 << 20));
  const auto tokens = tokenize(file_of(testing::kDeflatedUid, compress(data.bytes(), -15)));
  ASSERT_FALSE(tokens.has_value());
  EXPECT_EQ(tokens.error().error_class, ErrorClass::kLimit);
}

TEST(Tokenizer, EverySampleBecomesASeedFileWhenAFolderForThemIsNamed) {
  const char* folder = std::getenv("DICUBE_SEEDS");
  if (!folder) GTEST_SKIP() << "DICUBE_SEEDS names no folder";
  std::filesystem::create_directories(folder);
  std::size_t index = 0;
  for (const Bytes& file : testing::sample_files()) {
    std::ofstream out(std::filesystem::path(folder) / ("sample" + std::to_string(index++)), std::ios::binary);
    ASSERT_TRUE(out.write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size())));
  }
}

}  // namespace
}  // namespace dicube::dicom
