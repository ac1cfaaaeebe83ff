#include "dicom/dictionary.h"

#include <gtest/gtest.h>

#include <iterator>

namespace dicube::dicom {
namespace {

using std::string_view_literals::operator""sv;

TEST(Dictionary, KnowsAnElementsKeywordAndVr) {
  const DictionaryEntry* entry = find(0x00100010);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->keyword, "PatientName");
  EXPECT_EQ(entry->vr, "PN");
}

TEST(Dictionary, GivesTheFirstOfSeveralVrs) {
  EXPECT_EQ(find(0x00280106)->vr, "US");
  EXPECT_EQ(find(kPixelData)->vr, "OB");
}

TEST(Dictionary, FindsRepeatingGroupsByAnyOfTheirTags) {
  for (Tag group = 0x6000; group <= 0x60FE; group += 2) EXPECT_EQ(find(group << 16 | 0x3000)->keyword, "OverlayData");
  EXPECT_EQ(find(0x50100005)->keyword, "CurveDimensions");
  EXPECT_EQ(find(0x00203105)->keyword, "SourceImageIDs");
  EXPECT_EQ(find(0x00280410)->keyword, "RowsForNthOrderCoefficients");
  EXPECT_EQ(find(0x10000010)->keyword, "EscapeTriplet");
  EXPECT_EQ(find(0x10101234)->keyword, "ZonalMap");
  EXPECT_EQ(find(0x7F020010)->keyword, "VariablePixelData");
}

TEST(Dictionary, KnowsNoPrivateAndNoUnknownElements) {
  EXPECT_EQ(find(0x60013000), nullptr);
  EXPECT_EQ(find(0x00090010), nullptr);
  EXPECT_EQ(find(0x00080003), nullptr);
  EXPECT_EQ(find(0xFFFFFFFF), nullptr);
}

TEST(Dictionary, FindsKeywords) {
  EXPECT_EQ(find_keyword("SOPInstanceUID"), kSopInstanceUid);
  EXPECT_EQ(find_keyword("PixelData"), kPixelData);
  EXPECT_EQ(find_keyword("OverlayData"), 0x60003000U);
  EXPECT_EQ(find_keyword("sopinstanceuid"), std::nullopt);
  EXPECT_EQ(find_keyword(""), std::nullopt);
}

TEST(Dictionary, FindsEveryElementByItsTagAndItsKeyword) {
  struct Row {
    Tag tag;
    std::string_view keyword;
  };
  constexpr Row kRows[] = {
#define DICUBE_ELEMENT(tag, keyword, ...) {tag, keyword},
#include "dicom/dictionary_data.inc"
#undef DICUBE_ELEMENT
  };
  EXPECT_GT(std::size(kRows), 5000U);
  for (const Row& row : kRows) {
    ASSERT_NE(find(row.tag), nullptr) << format_tag(row.tag);
    EXPECT_EQ(find(row.tag)->keyword, row.keyword);
    EXPECT_EQ(find_keyword(row.keyword), row.keyword.empty() ? std::nullopt : std::optional(row.tag)) << row.keyword;
  }
}

TEST(Dictionary, FindsEveryRepeatingElementByItsKeyword) {
  struct Row {
    Tag mask, tag;
    std::string_view keyword;
  };
  constexpr Row kRows[] = {
#define DICUBE_REPEATER(mask, tag, keyword, ...) {mask, tag, keyword},
#include "dicom/dictionary_data.inc"
#undef DICUBE_REPEATER
  };
  for (const Row& row : kRows) {
    const auto tag = find_keyword(row.keyword);
    ASSERT_TRUE(tag.has_value()) << row.keyword;
    EXPECT_EQ(*tag & row.mask, row.tag);
    EXPECT_EQ(find(*tag)->keyword, row.keyword) << format_tag(*tag);
  }
  EXPECT_EQ(find_keyword("RowsForNthOrderCoefficients"), 0x00280410U) << "(0028,0400) is another element";
}

TEST(Dictionary, ParsesTagsInEverySpelling) {
  for (std::string_view text : {"00080018", "0008,0018", "(0008,0018)", "0x00080018", "0X00080018", "SOPInstanceUID"})
    EXPECT_EQ(parse_tag(text), kSopInstanceUid) << text;
  EXPECT_EQ(parse_tag("7fe00010"), kPixelData);
  EXPECT_EQ(parse_tag("(7FE0,0010)"), kPixelData);
}

TEST(Dictionary, RefusesWhatIsNoTag) {
  for (std::string_view text :
       {"", "(", "()", "0008", "0008001", "000800188", "0008,00180", "(0008,0018", "0008,0018)", "(00080018)",
        "0x0008,0018", "+0080018", "-0080018", "0008 0018", "NoSuchKeyword", "0008,-018", "000g0018"})
    EXPECT_EQ(parse_tag(text), std::nullopt) << text;
}

TEST(Dictionary, FormatsTags) {
  EXPECT_EQ(format_tag(kSopInstanceUid), "(0008,0018)");
  EXPECT_EQ(format_tag(0x7FE0ABCD), "(7FE0,ABCD)");
}

TEST(Dictionary, KnowsTheVrOfElementsInImplicitVr) {
  EXPECT_EQ(implicit_vr(0x00100010), "PN");
  EXPECT_EQ(implicit_vr(0x00081115), "SQ");
  EXPECT_EQ(implicit_vr(0x00090000), "UL") << "a group length";
  EXPECT_EQ(implicit_vr(0x00080000), "UL");
  EXPECT_EQ(implicit_vr(0x00090010), "LO") << "a private creator";
  EXPECT_EQ(implicit_vr(0x000900FF), "LO");
  EXPECT_EQ(implicit_vr(0x00091001), "UN") << "private";
  EXPECT_EQ(implicit_vr(0x0009000F), "UN");
  EXPECT_EQ(implicit_vr(0x00080003), "UN") << "unknown";
  EXPECT_EQ(implicit_vr(kPixelData), "OW") << "PS3.5 A.1";
  EXPECT_EQ(implicit_vr(0x60003000), "OW");
}

}  // namespace
}  // namespace dicube::dicom
