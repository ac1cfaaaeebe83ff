#include "dicom/rewrite.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dicom/converted_form.h"
#include "dicom/testing.h"
#include "dicom/uid.h"
#include "dicom/value.h"

namespace dicube::dicom {
namespace {

using namespace testing;

RewriteOptions as(Encoding encoding, std::string_view syntax) {
  return {.encoding = encoding, .only_frame = {}, .transfer_syntax = std::string(syntax)};
}

Bytes data_set_of(ByteSpan file) {
  const auto tokens = tokenize(file).value();
  const ByteSpan data = tokens.data_bytes(file).subspan(tokens.deflated ? 0 : tokens.data_begin);
  return Bytes(data.begin(), data.end());
}

std::string syntax_of(ByteSpan file) { return tokenize(file).value().transfer_syntax; }

TEST(Rewrite, AnyEncodingBecomesWhatAWriterOfTheOtherWouldWrite) {
  for (const Encoding from : {Encoding::kExplicitLittle, Encoding::kImplicitLittle, Encoding::kExplicitBig})
    for (const auto& [to, uid] : {std::pair(Encoding::kExplicitLittle, kExplicitLittleUid),
                                  std::pair(Encoding::kImplicitLittle, kImplicitLittleUid)}) {
      Edits edits;
      if (from == Encoding::kExplicitBig) edits[kPixelData] = {{'O', 'W'}, Bytes(128)};
      const auto made = rewrite(ct_image(1, 8, 8, 1, from), edits, as(to, uid));
      ASSERT_TRUE(made) << made.error().message;
      Bytes wanted = data_set_of(ct_image(1, 8, 8, 1, to));
      if (from == Encoding::kExplicitBig) std::fill(wanted.end() - 128, wanted.end(), std::byte{0});
      EXPECT_EQ(data_set_of(*made), wanted);
      EXPECT_EQ(syntax_of(*made), uid);
    }
}

TEST(Rewrite, NestedSequencesPrivateAndUnknownElementsAreConverted) {
  const auto data = [](Encoding encoding) {
    FileBuilder out(encoding);
    out.text(kSopInstanceUid, "UI", "1.2.3").sequence(0x00081115, encoding == Encoding::kExplicitBig).item();
    out.sequence(0x00081199)
        .item()
        .u16(0x00280010, "US", {0x0102})
        .u32(0x00081197, "UL", {0x01020304})
        .end()
        .end()
        .end()
        .end();
    out.text(0x00090010, "LO", "PRIVATE")
        .element(0x00091001, "UN", {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
    return out.take();
  };
  const Bytes big = FileBuilder().meta(kExplicitBigUid).raw(data(Encoding::kExplicitBig)).take();
  EXPECT_EQ(data_set_of(rewrite(big, {}, as(Encoding::kExplicitLittle, kExplicitLittleUid)).value()),
            data(Encoding::kExplicitLittle));
  EXPECT_EQ(data_set_of(rewrite(big, {}, as(Encoding::kImplicitLittle, kImplicitLittleUid)).value()),
            data(Encoding::kImplicitLittle));
  const Bytes deflated_file = FileBuilder().meta(kDeflatedUid).raw(deflated(data(Encoding::kExplicitLittle))).take();
  EXPECT_EQ(data_set_of(rewrite(deflated_file, {}, as(Encoding::kExplicitLittle, kExplicitLittleUid)).value()),
            data(Encoding::kExplicitLittle));
}

TEST(Rewrite, AnIconsPixelRepresentationIsNotTheImages) {
  const auto data = [](Encoding encoding, const char* vr) {
    FileBuilder out(encoding);
    out.u16(kPixelRepresentation, "US", {1}).u16(0x00280120, vr, {0xF830});
    out.sequence(0x00409096).item().u16(0x00409216, vr, {0xF830}).end().end();
    out.sequence(0x00880200).item().u16(kPixelRepresentation, "US", {0}).u16(0x00280120, "US", {0xF830}).end().end();
    return out.take();
  };
  const Bytes file = FileBuilder().meta(kImplicitLittleUid).raw(data(Encoding::kImplicitLittle, "SS")).take();
  EXPECT_EQ(data_set_of(rewrite(file, {}, as(Encoding::kExplicitLittle, kExplicitLittleUid)).value()),
            data(Encoding::kExplicitLittle, "SS"));
}

TEST(Rewrite, GroupLengthsInItemsAreThoseOfTheNewForm) {
  const auto data = [](Encoding encoding, std::uint32_t outer, std::uint32_t inner, std::uint32_t last) {
    FileBuilder out(encoding);
    out.sequence(0x00081140).item().u32(0x00080000, "UL", {outer}).text(0x00080120, "UR", "urn:");
    out.sequence(0x00081199).item().u32(0x00080000, "UL", {inner}).text(0x00080120, "UR", "urn:").end().end();
    out.text(0x00100010, "PN", "A^").u32(0x00110000, "UL", {last}).text(0x00111001, "UN", "A").end().end();
    return out.take();
  };
  const Bytes file = FileBuilder().meta(kImplicitLittleUid).raw(data(Encoding::kImplicitLittle, 68, 12, 10)).take();
  EXPECT_EQ(data_set_of(rewrite(file, {}, as(Encoding::kExplicitLittle, kExplicitLittleUid)).value()),
            data(Encoding::kExplicitLittle, 80, 16, 14));
}

TEST(Rewrite, WhatIsNoSequenceThoughTheDictionarySaysSoBecomesUn) {
  const auto data = [](Encoding encoding, const char* vr) {
    return FileBuilder(encoding).text(0x0040A170, vr, "NAMED TYPE").take();
  };
  const Bytes file = FileBuilder().meta(kImplicitLittleUid).raw(data(Encoding::kImplicitLittle, "CS")).take();
  EXPECT_EQ(data_set_of(rewrite(file, {}, as(Encoding::kExplicitLittle, kExplicitLittleUid)).value()),
            data(Encoding::kExplicitLittle, "UN"));
}

TEST(Rewrite, StrayItemsAreLeftOut) {
  const auto file = [](ByteSpan stray) {
    return FileBuilder()
        .meta(kExplicitLittleUid)
        .text(kSopInstanceUid, "UI", "1.2")
        .raw(stray)
        .text(kModality, "CS", "CT")
        .take();
  };
  const Bytes stray = FileBuilder().element(0xFFFEE000, "", Bytes(10)).header(0xFFFEE0DD, "", 0).take();
  for (const auto& options : {RewriteOptions{}, as(Encoding::kImplicitLittle, kImplicitLittleUid)})
    EXPECT_EQ(rewrite(file(stray), {}, options).value(), rewrite(file({}), {}, options).value());
}

TEST(Rewrite, ADamagedPrefixIsWrittenAsItShouldBe) {
  const Bytes whole = ct_image(1);
  Bytes damaged = whole;
  damaged[129] = std::byte{'J'};
  for (const Edits& edits : {Edits{}, Edits{{kModality, text_edit({'C', 'S'}, "MR")}},
                             Edits{{kSopInstanceUid, text_edit({'U', 'I'}, "1.2")}}})
    EXPECT_EQ(rewrite(damaged, edits).value(), rewrite(whole, edits).value());
}

TEST(Rewrite, AnElementBehindPixelsWithoutTheirDelimitationStandsBehindIt) {
  const auto pixels = FileBuilder().meta(kRleUid).fragments({{}, Bytes(6)}).take();
  Edits edits;
  edits[0xFFFCFFFC] = {{'O', 'B'}, Bytes(2)};
  const Bytes open(pixels.begin(), pixels.end() - 8);
  EXPECT_EQ(rewrite(open, edits, {}).value(), rewrite(pixels, edits, {}).value());
}

TEST(Rewrite, AValueThatItsShortLengthFieldCantHoldBecomesUn) {
  const Bytes data = FileBuilder(Encoding::kImplicitLittle).text(0x00081030, "LO", std::string(70'000, 'x')).take();
  const Bytes file = FileBuilder().meta(kImplicitLittleUid).raw(data).take();
  const Bytes made = rewrite(file, {}, as(Encoding::kExplicitLittle, kExplicitLittleUid)).value();
  const auto tokens = tokenize(made).value();
  ASSERT_EQ(tokens.data.size(), 1U);
  EXPECT_EQ(tokens.data[0].vr, (std::array{'U', 'N'}));
  EXPECT_EQ(tokens.data[0].length, 70'000U);
}

TEST(Rewrite, FramesGetAFragmentEachAndABasicOffsetTable) {
  Edits edits;
  edits[kPixelData].vr = {'O', 'B'};
  edits[kPixelData].frames = {Bytes(5, std::byte{1}), Bytes(4, std::byte{2})};
  const Bytes made = rewrite(ct_image(1), edits, as(Encoding::kExplicitLittle, kJpegLosslessUid)).value();
  const auto tokens = tokenize(made).value();
  std::vector<std::uint64_t> sizes;
  for (const Token& token : tokens.data)
    if (token.kind == TokenKind::kFragment) sizes.push_back(token.length);
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{8, 6, 4}));
  EXPECT_FALSE(tokens.stop);
}

TEST(Rewrite, ElementsOfTheMetaGroupGetTheVrThatTheirWriterLeftOut) {
  FileBuilder group(Encoding::kImplicitLittle);
  group.text(0x00020010, "UI", kImplicitLittleUid)
      .text(0x00020016, "AE", "SCANNER")
      .element(0x00020102, "OB", {std::byte{7}, std::byte{7}});
  const Bytes file = FileBuilder()
                         .preamble()
                         .raw(group.take())
                         .raw(FileBuilder(Encoding::kImplicitLittle).text(kSopInstanceUid, "UI", "1.2.3").take())
                         .take();
  const Bytes made = rewrite(file, {}, as(Encoding::kExplicitLittle, kExplicitLittleUid)).value();
  const auto tokens = tokenize(made).value();
  EXPECT_TRUE(has_encoding(tokens.meta, Encoding::kExplicitLittle));
  const auto at = std::ranges::find(tokens.meta, 0x00020016U, &Token::tag);
  ASSERT_NE(at, tokens.meta.end());
  EXPECT_EQ(at->vr, (std::array<char, 2>{'A', 'E'}));
  EXPECT_EQ(trimmed(ByteSpan(made).subspan(at->value, at->length)), "SCANNER");
}

TEST(Rewrite, AFileWithoutAMetaGroupGetsNoneOrAWholeOne) {
  for (const auto& [encoding, syntax] :
       {std::pair(Encoding::kExplicitLittle, kExplicitLittleUid),
        std::pair(Encoding::kImplicitLittle, kImplicitLittleUid), std::pair(Encoding::kExplicitBig, kExplicitBigUid)}) {
    const Bytes bare = data_set_of(ct_image(1, 8, 8, 1, encoding));
    Edits edits;
    edits[kSopInstanceUid] = text_edit({'U', 'I'}, "1.2.77");
    const Bytes without = rewrite(bare, edits, {}).value();
    EXPECT_EQ(tokenize(without).value().data_begin, 0U);
    EXPECT_EQ(data_set_of(without), without);
    edits[kMetaSopClassUid] = text_edit({'U', 'I'}, "1.2.5");
    const Bytes with = rewrite(bare, edits, {}).value();
    EXPECT_EQ(syntax_of(with), syntax);
    EXPECT_EQ(data_set_of(with), without);
  }
}

TEST(Rewrite, EditsOfTheSopInstanceMoveTheMetaGroupAlong) {
  const Bytes made = rewrite(ct_image(1), {{kSopInstanceUid, text_edit({'U', 'I'}, "2.25.7")}}).value();
  const auto tokens = tokenize(made).value();
  const auto at = std::ranges::find(tokens.meta, 0x00020003U, &Token::tag);
  ASSERT_NE(at, tokens.meta.end());
  EXPECT_EQ(trimmed(ByteSpan(made).subspan(at->value, at->length)), "2.25.7");
  EXPECT_EQ(tokens.data_begin, 144U + load_le<std::uint32_t>(made.data() + 140));
}

// Adding up the group anew for each of them would take minutes.
TEST(Rewrite, TakesVeryManyGroupLengthsAtOnce) {
  FileBuilder file;
  file.meta(kExplicitLittleUid);
  constexpr std::uint32_t kMany = 400'000;
  for (std::uint32_t i = 0; i < kMany; ++i) file.u32((0x0009 + 2 * (i / 20)) << 16, "UL", {7});
  file.text(0x7FE10010, "LO", "PRIVATE");
  RewriteOptions options;
  options.encoding = Encoding::kExplicitLittle;
  const auto rewritten = rewrite(file.take(), {}, options);
  ASSERT_TRUE(rewritten);
  EXPECT_EQ(tokenize(*rewritten)->data.size(), kMany + 1);
}

}  // namespace
}  // namespace dicube::dicom
