// Data sets: nesting, fragments, and headers that break the rules.
#include "dicom/data_set.h"

#include <gtest/gtest.h>

#include <string>

#include "dicom/testing.h"

namespace dicube::dicom {
namespace {

using testing::FileBuilder;

constexpr Encoding kAllEncodings[] = {Encoding::kExplicitLittle, Encoding::kImplicitLittle, Encoding::kExplicitBig};
constexpr Tag kSequenceTag = 0x00081115;

// Reads a data set and checks that its tokens, and what stands behind them, are its bytes.
Elements read(const Bytes& data, Encoding encoding = Encoding::kExplicitLittle) {
  Elements elements = read_elements({data, data.size()}, 0, encoding, Until::kEnd);
  Bytes out;
  testing::append_tokens(elements.tokens, data, out);
  EXPECT_EQ(out.size(), elements.end);
  append(out, ByteSpan(data).subspan(elements.end));
  EXPECT_EQ(out, data);
  EXPECT_EQ(elements.stop.has_value(), elements.end != data.size());
  return elements;
}

// One letter per token: e element, S sequence, I item, i and s their ends, F fragments, f fragment, x fragments' end.
std::string shape(const Elements& elements) {
  std::string letters;
  for (const Token& token : elements.tokens) letters += "eSIisFfx"[static_cast<std::size_t>(token.kind)];
  return letters;
}

std::string reason(const Elements& elements) { return elements.stop ? elements.stop->reason : "no stop"; }

TEST(DataSet, AnElementsTokenTellsHeaderAndValue) {
  const Bytes data = FileBuilder().text(kModality, "CS", "CT").element(0x00091001, "OB", Bytes(6)).take();
  const Elements elements = read(data);
  ASSERT_EQ(shape(elements), "ee");
  const Token& modality = elements.tokens[0];
  EXPECT_EQ(modality.form, HeaderForm::kShort);
  EXPECT_EQ(modality.vr, (std::array<char, 2>{'C', 'S'}));
  EXPECT_EQ(modality.value, 8U);
  EXPECT_EQ(modality.length, 2U);
  const Token& other = elements.tokens[1];
  EXPECT_EQ(other.form, HeaderForm::kLong);
  EXPECT_EQ(other.header, 10U);
  EXPECT_EQ(other.value, 22U);
  EXPECT_EQ(other.length, 6U);
}

TEST(DataSet, NestedSequencesOfDefinedAndUndefinedLengthHaveTheSameShape) {
  for (Encoding encoding : kAllEncodings)
    for (int lengths = 0; lengths < 16; ++lengths) {
      const auto defined = [&](int bit) { return (lengths >> bit) % 2 != 0; };
      const Bytes data = FileBuilder(encoding)
                             .sequence(kSequenceTag, defined(0))
                             .item(defined(1))
                             .sequence(0x00081199, defined(2))
                             .item(defined(3))
                             .text(0x00081155, "UI", "1.2")
                             .end()
                             .item(defined(3))
                             .end()
                             .end()
                             .end()
                             .end()
                             .text(0x00100010, "PN", "A")
                             .take();
      const Elements elements = read(data, encoding);
      ASSERT_EQ(shape(elements), "SISIeiIisise") << lengths;
      for (const std::size_t opening : {0U, 1U, 2U, 3U, 6U}) {
        const Token& token = elements.tokens[opening];
        // The length is that of everything inside, whether the header says it or not.
        static constexpr std::size_t kClosing[] = {10, 9, 8, 5, 0, 0, 7};
        EXPECT_EQ(token.value + token.length, elements.tokens[kClosing[opening]].header);
        EXPECT_EQ(token.undefined_length, elements.tokens[kClosing[opening]].undefined_length);
      }
    }
}

TEST(DataSet, EmptySequencesAndItemsAreKept) {
  for (Encoding encoding : kAllEncodings)
    for (bool defined : {false, true})
      EXPECT_EQ(shape(read(FileBuilder(encoding).sequence(kSequenceTag, defined).end().take(), encoding)), "Ss");
}

// `depth` sequences, each but the last in the item of the one before, all open.
Bytes nested(std::size_t depth, bool closed) {
  FileBuilder data;
  for (std::size_t i = 0; i < depth; ++i) data.sequence(kSequenceTag).item();
  for (std::size_t i = 0; closed && i < 2 * depth; ++i) data.end();
  return data.take();
}

TEST(DataSet, SixtyFourNestedSequencesAreRead) {
  const Elements elements = read(nested(64, true));
  EXPECT_EQ(elements.tokens.size(), 256U);
  EXPECT_FALSE(elements.stop);
}

TEST(DataSet, SixtyFiveNestedSequencesAreAStop) {
  const Elements elements = read(nested(65, true));
  EXPECT_TRUE(elements.tokens.empty());
  EXPECT_NE(reason(elements).find("nested in 65 sequences, 64 at most"), std::string::npos);
}

TEST(DataSet, SixtyFiveNestedSequencesOfDefinedLengthAreAStop) {
  FileBuilder data;
  for (int i = 0; i < 65; ++i) data.sequence(kSequenceTag, true).item(true);
  for (int i = 0; i < 130; ++i) data.end();
  const Elements elements = read(data.take());
  EXPECT_NE(reason(elements).find("nested in 65 sequences"), std::string::npos);
}

TEST(DataSet, AMillionNestedSequencesAreAStopAtOnce) {
  const Elements elements = read(nested(1000000, false));
  EXPECT_TRUE(elements.tokens.empty());
  EXPECT_LT(elements.tokens.capacity(), 1000U);
}

TEST(DataSet, EncapsulatedPixelDataIsAListOfFragments) {
  for (Encoding encoding : kAllEncodings) {
    const Bytes data = FileBuilder(encoding).fragments({{}, Bytes(4), Bytes(3)}).take();
    const Elements elements = read(data, encoding);
    ASSERT_EQ(shape(elements), "Ffffx");
    EXPECT_EQ(elements.tokens[0].length, 3 * 8 + 7U);
    EXPECT_EQ(elements.tokens[3].length, 3U);
  }
}

TEST(DataSet, AnIconsPixelDataMayBeEncapsulated) {
  const Bytes data = FileBuilder().sequence(0x00880200).item().fragments({{}, Bytes(4)}).end().end().take();
  EXPECT_EQ(shape(read(data)), "SIFffxis");
}

// A table and a fragment without the delimitation behind them.
Bytes open_fragments() {
  return FileBuilder()
      .header(kPixelData, "OB", kUndefinedLength)
      .element(kItem, "", {})
      .element(kItem, "", Bytes(4))
      .take();
}

TEST(DataSet, FragmentsMayEndWithTheFileInsteadOfTheirDelimitation) {
  const Bytes data = open_fragments();
  const Elements elements = read(data);
  ASSERT_EQ(shape(elements), "Fffx");
  EXPECT_EQ(elements.tokens[0].length, 2 * 8 + 4U);
  EXPECT_FALSE(elements.tokens[3].undefined_length);
  EXPECT_EQ(elements.tokens[3].value, data.size());
}

TEST(DataSet, FragmentsThatEndInsideOfOneOrOfADelimitationOrBeforeTheFirstAreAStopAtThePixelData) {
  const auto reason_of = [](std::size_t size) {
    const Bytes data = FileBuilder().text(kModality, "CS", "CT").fragments({{}, Bytes(4)}).take();
    const Elements elements = read(Bytes(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_EQ(shape(elements), "e");
    return reason(elements);
  };
  EXPECT_EQ(reason_of(22), "in (7FE0,0010): an element's header at byte 22 needs 8 bytes but 0 are left");
  EXPECT_EQ(reason_of(41), "in (7FE0,0010): (FFFE,E000) at byte 30 has a length of 4 but 3 bytes are left");
  EXPECT_EQ(reason_of(49), "in (7FE0,0010): an element's header at byte 42 needs 8 bytes but 7 are left");
}

TEST(DataSet, FragmentsOfAnIconDoNotEndWithTheFileOrItsItem) {
  const Bytes open = open_fragments();
  const Elements at_end = read(FileBuilder().sequence(0x00880200).item().raw(open).take());
  EXPECT_EQ(shape(at_end), "");
  EXPECT_NE(reason(at_end).find("needs 8 bytes but 0 are left"), std::string::npos);
  const Elements in_item = read(FileBuilder().sequence(0x00880200, true).item(true).raw(open).end().end().take());
  EXPECT_EQ(shape(in_item), "e");
}

TEST(DataSet, VeryManyStrayItemsAreAStop) {
  FileBuilder data;
  for (int i = 0; i < 70; ++i) data.header(kItemDelimitation, "", 0);
  const Elements elements = read(data.take());
  EXPECT_EQ(shape(elements), std::string(64, 'e'));
  EXPECT_NE(reason(elements).find("(FFFE,E00D) at byte 512 stands where an element should begin"), std::string::npos);
}

TEST(DataSet, AFragmentLongerThanTheFileOrOfUndefinedLengthIsAStop) {
  for (std::uint32_t length : {100U, 0xFFFFFFFEU, 0xFFFFFFFFU}) {
    const Bytes data =
        FileBuilder().header(kPixelData, "OB", 0xFFFFFFFF).header(0xFFFEE000, "", length).raw(Bytes(50)).take();
    EXPECT_EQ(read(data).end, 0U);
  }
}

TEST(DataSet, AnElementThatCannotHaveAnUndefinedLengthIsAStop) {
  const Bytes data = FileBuilder().header(0x00091001, "OB", 0xFFFFFFFF).header(0xFFFEE0DD, "", 0).take();
  EXPECT_EQ(reason(read(data)), "(0009,1001) at byte 0 has an undefined length, which its VR OB can't have");
}

TEST(DataSet, UnOfUndefinedLengthIsASequenceInImplicitVr) {
  for (Encoding encoding : {Encoding::kExplicitLittle, Encoding::kExplicitBig}) {
    const Bytes data = FileBuilder(encoding)
                           .sequence(0x00091002, false, "UN")
                           .in(Encoding::kImplicitLittle)
                           .item()
                           .text(0x00091003, "LO", "AB")
                           .end()
                           .end()
                           .in(encoding)
                           .text(0x00100010, "PN", "A")
                           .take();
    const Elements elements = read(data, encoding);
    ASSERT_EQ(shape(elements), "SIeise");
    EXPECT_EQ(elements.tokens[0].vr, (std::array<char, 2>{'U', 'N'}));
    EXPECT_EQ(elements.tokens[2].encoding, Encoding::kImplicitLittle);
    EXPECT_EQ(elements.tokens[5].encoding, encoding);
  }
}

TEST(DataSet, UnOfUndefinedLengthMayAgainstTheRulesKeepTheDataSetsEncoding) {
  for (Encoding encoding : {Encoding::kExplicitLittle, Encoding::kExplicitBig}) {
    const Bytes data =
        FileBuilder(encoding).sequence(0x00091002, false, "UN").item().text(0x00091003, "LO", "AB").end().end().take();
    const Elements elements = read(data, encoding);
    ASSERT_EQ(shape(elements), "SIeis");
    EXPECT_EQ(elements.tokens[2].form, HeaderForm::kShort);
    EXPECT_EQ(elements.tokens[2].encoding, encoding);
  }
}

TEST(DataSet, UnOfDefinedLengthIsASequenceWhenTheDictionarySaysSo) {
  for (Tag tag : {kSequenceTag, Tag{0x00091002}}) {
    const Bytes data = FileBuilder()
                           .sequence(tag, true, "UN")
                           .in(Encoding::kImplicitLittle)
                           .item()
                           .text(0x00081155, "UI", "1.2")
                           .end()
                           .end()
                           .take();
    EXPECT_EQ(shape(read(data)), tag == kSequenceTag ? "SIeis" : "e");
  }
}

TEST(DataSet, ASequenceOfDefinedLengthInImplicitVrIsKnownByTheDictionary) {
  for (Tag tag : {kSequenceTag, Tag{0x00091002}}) {
    const Bytes data = FileBuilder(Encoding::kImplicitLittle)
                           .sequence(tag, true)
                           .item()
                           .text(0x00081155, "UI", "1.2")
                           .end()
                           .end()
                           .take();
    EXPECT_EQ(shape(read(data, Encoding::kImplicitLittle)), tag == kSequenceTag ? "SIeis" : "e");
  }
}

TEST(DataSet, ASequenceOfDefinedLengthWhoseContentMakesNoSenseIsAPlainElement) {
  constexpr std::uint32_t kNone = 0xFFFFFFFF;
  const auto with_content = [](auto fill) {
    FileBuilder data;
    data.sequence(kSequenceTag, true);
    fill(data);
    return data.end().text(0x00100010, "PN", "A").take();
  };
  const Bytes broken[] = {
      with_content([](FileBuilder& data) { data.raw("no items at all"); }),
      with_content([](FileBuilder& data) { data.raw("odd"); }),
      with_content([](FileBuilder& data) { data.text(kModality, "CS", "CT"); }),
      with_content([](FileBuilder& data) { data.header(0xFFFEE000, "", 100).text(kModality, "CS", "CT"); }),
      with_content([](FileBuilder& data) { data.item().header(kModality, "CS", 100).end(); }),
      with_content([](FileBuilder& data) { data.header(0xFFFEE000, "", 0xFFFFFFFF).text(kModality, "CS", "CT"); }),
      with_content([](FileBuilder& data) { data.item().end().header(0xFFFEE0DD, "", 0); }),
      with_content([](FileBuilder& data) { data.item(true).header(0xFFFEE00D, "", 0).end(); }),
      with_content([](FileBuilder& data) { data.header(0xFFFEE000, "", kNone).header(0x00081199, "SQ", kNone); }),
  };
  for (const Bytes& data : broken) {
    const Elements elements = read(data);
    EXPECT_EQ(shape(elements), "ee");
    EXPECT_FALSE(elements.stop) << reason(elements);
    EXPECT_EQ(elements.tokens[0].vr, (std::array<char, 2>{'S', 'Q'}));
  }
}

TEST(DataSet, OnlyTheInnermostBrokenSequenceOfDefinedLengthBecomesAPlainElement) {
  const Bytes data = FileBuilder()
                         .sequence(kSequenceTag)
                         .item(true)
                         .sequence(0x00081199, true)
                         .raw("broken")
                         .end()
                         .text(0x00100010, "PN", "A")
                         .end()
                         .end()
                         .take();
  EXPECT_EQ(shape(read(data)), "SIeeis");
}

TEST(DataSet, ABrokenSequenceOfUndefinedLengthIsAStopBehindTheLastWholeElement) {
  const Bytes data = FileBuilder()
                         .text(kModality, "CS", "CT")
                         .sequence(kSequenceTag)
                         .item()
                         .text(0x00081155, "UI", "1.2")
                         .end()
                         .raw("broken here")
                         .take();
  const Elements elements = read(data);
  EXPECT_EQ(shape(elements), "e");
  EXPECT_EQ(elements.end, 10U);
  EXPECT_EQ(elements.stop->offset, data.size() - 11);
  EXPECT_NE(reason(elements).find("in (0008,1115): "), std::string::npos);
}

TEST(DataSet, ADelimitationOfALengthOtherThanZeroIsAStop) {
  const Bytes sequence = FileBuilder().sequence(kSequenceTag).header(0xFFFEE0DD, "", 4).take();
  EXPECT_NE(reason(read(sequence)).find("(FFFE,E0DD) at byte 12 has a length of 4 instead of 0"), std::string::npos);
  const Bytes item = FileBuilder().sequence(kSequenceTag).item().header(0xFFFEE00D, "", 4).take();
  EXPECT_NE(reason(read(item)).find("(FFFE,E00D) at byte 20 has a length of 4 instead of 0"), std::string::npos);
}

TEST(DataSet, AStrayItemOrDelimitationOfDefinedLengthIsAPlainElement) {
  for (Encoding encoding : kAllEncodings)
    for (Tag tag : {kItem, kItemDelimitation, kSequenceDelimitation})
      for (std::size_t length : {0, 10}) {
        const Bytes data = FileBuilder(encoding)
                               .text(kModality, "CS", "CT")
                               .element(tag, "", Bytes(length))
                               .u16(kRows, "US", {1})
                               .take();
        const Elements elements = read(data, encoding);
        ASSERT_EQ(shape(elements), "eee");
        EXPECT_EQ(elements.tokens[1].tag, tag);
        EXPECT_EQ(elements.tokens[1].length, length);
        EXPECT_FALSE(elements.stop);
      }
}

TEST(DataSet, TheItemsThatASequencesLengthLeavesOutArePlainElements) {
  const Bytes data = FileBuilder()
                         .header(kSequenceTag, "SQ", 0)
                         .item(true)
                         .text(kModality, "CS", "CT")
                         .end()
                         .header(kSequenceDelimitation, "", 0)
                         .u16(kRows, "US", {1})
                         .take();
  EXPECT_EQ(shape(read(data)), "Sseee");
}

TEST(DataSet, AStrayItemOfUndefinedLengthOrBeyondTheEndIsAStop) {
  const auto stop = [](std::uint32_t length) {
    const Elements elements = read(FileBuilder().text(kModality, "CS", "CT").header(kItem, "", length).take());
    EXPECT_EQ(shape(elements), "e");
    return reason(elements);
  };
  EXPECT_NE(stop(kUndefinedLength).find("(FFFE,E000) at byte 10 stands where an element should begin"),
            std::string::npos);
  EXPECT_NE(stop(1).find("(FFFE,E000) at byte 10 has a length of 1 but 0 bytes are left"), std::string::npos);
}

TEST(DataSet, ADelimitationOfWhatIsNotOpenIsADefectInsideOfItems) {
  const Bytes data = FileBuilder()
                         .sequence(kSequenceTag)
                         .item(true)
                         .header(kItemDelimitation, "", 0)
                         .end()
                         .end()
                         .u16(kRows, "US", {1})
                         .take();
  EXPECT_EQ(shape(read(data)), "");
  EXPECT_NE(reason(read(data)).find("where an element should begin"), std::string::npos);
}

TEST(DataSet, OddLengthsDuplicatesAndWrongOrderAreKept) {
  for (Encoding encoding : kAllEncodings) {
    const Bytes data = FileBuilder(encoding)
                           .element(0x00100010, "PN", as_bytes("odd"))
                           .element(kModality, "CS", as_bytes("C"))
                           .element(kModality, "CS", as_bytes("CT"))
                           .element(kModality, "CS", as_bytes("CT"))
                           .take();
    EXPECT_EQ(shape(read(data, encoding)), "eeee");
  }
}

TEST(DataSet, GroupLengthsAreOrdinaryElementsWhateverTheySay) {
  for (Encoding encoding : kAllEncodings) {
    const Bytes data = FileBuilder(encoding).u32(0x00080000, "UL", {9999}).text(kModality, "CS", "CT").take();
    EXPECT_EQ(shape(read(data, encoding)), "ee");
  }
}

TEST(DataSet, AVrOfALaterEditionHasTheLongForm) {
  const Bytes data = FileBuilder().element(0x00091001, "ZZ", Bytes(6)).text(0x00100010, "PN", "A").take();
  const Elements elements = read(data);
  ASSERT_EQ(shape(elements), "ee");
  EXPECT_EQ(elements.tokens[0].form, HeaderForm::kLong);
}

TEST(DataSet, AnUnknownVrInTheShortFormIsReadAsSuchWhenOnlyThatMakesSense) {
  for (std::string_view vr : {"ZZ", "??", "  ", "cs"}) {
    const Bytes data = FileBuilder()
                           .raw(std::string_view("\x09\0\x01\x10", 4))
                           .raw(vr)
                           .raw(std::string_view("\4\0ABCD", 6))
                           .text(0x00100010, "PN", "A")
                           .take();
    const Elements elements = read(data);
    ASSERT_EQ(shape(elements), "ee") << vr;
    EXPECT_EQ(elements.tokens[0].form, HeaderForm::kShort);
  }
}

TEST(DataSet, AVrOfTheLongFormWrittenInTheShortOneIsReadAsSuch) {
  const Bytes data =
      FileBuilder().raw(std::string_view("\x09\0\x01\x10OB\4\0ABCD", 12)).text(0x00100010, "PN", "A").take();
  const Elements elements = read(data);
  ASSERT_EQ(shape(elements), "ee");
  EXPECT_EQ(elements.tokens[0].form, HeaderForm::kShort);
}

TEST(DataSet, ReservedBytesThatAreNotZeroAreKept) {
  const Bytes data = FileBuilder()
                         .raw(std::string_view("\x09\0\x01\x10OB\x34\x12\4\0\0\0ABCD", 16))
                         .text(0x00100010, "PN", "A")
                         .take();
  const Elements elements = read(data);
  ASSERT_EQ(shape(elements), "ee");
  EXPECT_EQ(elements.tokens[0].form, HeaderForm::kLong);
  EXPECT_EQ(elements.tokens[0].reserved, 0x1234);
}

TEST(DataSet, AnImplicitHeaderInExplicitDataIsReadAsSuch) {
  const Bytes data = FileBuilder()
                         .text(kModality, "CS", "CT")
                         .in(Encoding::kImplicitLittle)
                         .text(0x00081030, "LO", "implicit")
                         .in(Encoding::kExplicitLittle)
                         .text(0x00100010, "PN", "A")
                         .take();
  const Elements elements = read(data);
  ASSERT_EQ(shape(elements), "eee");
  EXPECT_EQ(elements.tokens[1].form, HeaderForm::kImplicit);
  EXPECT_EQ(elements.tokens[1].encoding, Encoding::kImplicitLittle);
  EXPECT_EQ(elements.tokens[2].form, HeaderForm::kShort);
}

TEST(DataSet, ItemsMayHaveAnotherEncodingThanTheDataSet) {
  for (Encoding outer : {Encoding::kExplicitLittle, Encoding::kImplicitLittle})
    for (bool defined : {false, true}) {
      const Encoding inner = outer == Encoding::kExplicitLittle ? Encoding::kImplicitLittle : Encoding::kExplicitLittle;
      const Bytes data = FileBuilder(outer)
                             .sequence(kSequenceTag, defined)
                             .item(defined)
                             .in(inner)
                             .text(0x00081150, "UI", "1.2")
                             .text(0x00081155, "UI", "1.2.3")
                             .in(outer)
                             .end()
                             .item(defined)
                             .text(0x00081150, "UI", "1.2")
                             .end()
                             .end()
                             .text(0x00100010, "PN", "A")
                             .take();
      const Elements elements = read(data, outer);
      ASSERT_EQ(shape(elements), "SIeeiIeise");
      EXPECT_EQ(elements.tokens[2].encoding, inner);
      EXPECT_EQ(elements.tokens[6].encoding, outer);
    }
}

TEST(DataSet, AnImplicitLengthThatSpellsAVrIsStillALength) {
  // 0x4144 is "DA".
  const Bytes data = FileBuilder(Encoding::kImplicitLittle)
                         .element(0x00091001, "", Bytes(0x4144, std::byte{1}))
                         .text(0x00100010, "PN", "A")
                         .take();
  const Elements elements = read(data, Encoding::kImplicitLittle);
  ASSERT_EQ(shape(elements), "ee");
  EXPECT_EQ(elements.tokens[0].length, 0x4144U);
}

TEST(DataSet, AHeaderThatMakesNoSenseIsAStop) {
  const Elements elements = read(FileBuilder().text(kModality, "CS", "CT").raw("}garbage that fits nowhere{").take());
  EXPECT_EQ(shape(elements), "e");
  EXPECT_EQ(elements.stop->offset, 10U);
  EXPECT_NE(reason(elements).find("no element at byte 10"), std::string::npos);
}

TEST(DataSet, AnElementBeyondTheItemThatHoldsItIsADefectThoughTheFileIsLonger) {
  const Bytes data = FileBuilder()
                         .sequence(kSequenceTag, true)
                         .item(true)
                         .header(0x00081155, "UI", 10)
                         .raw("1234")
                         .end()
                         .end()
                         .element(0x00091001, "OB", Bytes(100))
                         .take();
  EXPECT_EQ(shape(read(data)), "ee");
}

TEST(DataSet, AnElementWithALengthJustBelowTheUndefinedOneIsAStop) {
  for (Encoding encoding : kAllEncodings) {
    const Bytes data = FileBuilder(encoding).header(0x00091001, "OB", 0xFFFFFFFE).raw(Bytes(64)).take();
    EXPECT_EQ(read(data, encoding).end, 0U);
  }
}

TEST(DataSet, AShortHeaderCanHaveItsGreatestLength) {
  const Bytes data = FileBuilder().element(0x00081030, "LO", Bytes(0xFFFF)).text(0x00100010, "PN", "A").take();
  EXPECT_EQ(shape(read(data)), "ee");
}

}  // namespace
}  // namespace dicube::dicom
