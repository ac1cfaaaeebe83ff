// Character sets; the names are the examples of PS3.5 annexes H to K and of 6.1's tables.
#include <gtest/gtest.h>

#include <string>

#include "dicom/value.h"

namespace dicube::dicom {
namespace {

std::string name(std::string_view sets, std::string_view bytes) {
  return CharacterSet(sets).to_utf8(as_bytes(bytes), "PN");
}
std::string text(std::string_view sets, std::string_view bytes) {
  return CharacterSet(sets).to_utf8(as_bytes(bytes), "LT");
}

TEST(CharacterSet, TheDefaultRepertoireIsAscii) {
  EXPECT_EQ(CharacterSet().to_utf8(as_bytes("Buc^Jerome ~\\")), "Buc^Jerome ~\\");
  EXPECT_EQ(name("", "Buc"), "Buc");
  EXPECT_EQ(name("ISO_IR 6", "J\xE9r"), "J\uFFFDr");
  EXPECT_EQ(name("", ""), "");
}

TEST(CharacterSet, SingleByteSetsWithoutCodeExtensions) {
  EXPECT_EQ(name("ISO_IR 100", "Buc^J\xE9r\xF4me"), "Buc^Jérôme");
  EXPECT_EQ(name("ISO_IR 101", "W\xB1\xB3\xEAsa"), "Wąłęsa");
  EXPECT_EQ(name("ISO_IR 109", "\xA6"), "Ĥ");
  EXPECT_EQ(name("ISO_IR 110", "\xA1\xB9"), "Ąš");
  EXPECT_EQ(name("ISO_IR 144",
                 "\xBB\xEE\xDA"
                 "ce\xDC\xD1yp\xD3"),
            "Люкceмбypг");
  EXPECT_EQ(name("ISO_IR 127", "\xE2\xC8\xC7\xE6\xEA^\xE4\xE6\xD2\xC7\xD1"), "قباني^لنزار");
  EXPECT_EQ(name("ISO_IR 126", "\xC4\xE9\xEF\xED\xF5\xF3\xE9\xEF\xF2"), "Διονυσιος");
  EXPECT_EQ(name("ISO_IR 138", "\xF9\xF8\xE5\xEF^\xE3\xE1\xE5\xF8\xE4"), "שרון^דבורה");
  EXPECT_EQ(name("ISO_IR 148",
                 "\xC7"
                 "a\xF0"),
            "Çağ");
  EXPECT_EQ(name("ISO_IR 203", "\xA4"), "€");
  EXPECT_EQ(name("ISO_IR 166", "\xB9\xD2"), "นา");
}

TEST(CharacterSet, BytesThatASetDoesNotDefineBecomeTheReplacementCharacter) {
  EXPECT_EQ(name("ISO_IR 127", "\xE2\xF3\xE2"), "ق\uFFFDق");
  EXPECT_EQ(name("ISO_IR 13", "\xD4\xFF"), "ﾔ\uFFFD");
  EXPECT_EQ(name("ISO 2022 IR 149", "\x1B$)C\xFB"), "\uFFFD");
}

TEST(CharacterSet, JapaneseWithTheDefaultRepertoireFirst) {
  EXPECT_EQ(
      name("\\ISO 2022 IR 87", "Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B=\x1B$B$d$^$@\x1B(B^\x1B$B$?$m$&\x1B(B"),
      "Yamada^Tarou=山田^太郎=やまだ^たろう");
}

TEST(CharacterSet, JapaneseWithKatakanaFirst) {
  EXPECT_EQ(name("ISO 2022 IR 13\\ISO 2022 IR 87",
                 "\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=\x1B$B;3ED\x1B(J^\x1B$BB@O:\x1B(J="
                 "\x1B$B$d$^$@\x1B(J^\x1B$B$?$m$&\x1B(J"),
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう");
}

TEST(CharacterSet, TheRomajiSetHasAnOverlineForTheTilde) {
  EXPECT_EQ(name("ISO_IR 13", "~\xD4"), "‾ﾔ");
  EXPECT_EQ(name("ISO_IR 13", "A\\B"), "A\\B");
}

TEST(CharacterSet, TheSupplementaryKanjiSet) {
  EXPECT_EQ(text("\\ISO 2022 IR 87\\ISO 2022 IR 159", "\x1B$(D\x30\x21\x1B(B."), "丂.");
}

TEST(CharacterSet, AKanjiWhoseHalfIsTheCodeOfADelimiterIsNoDelimiter) {
  EXPECT_EQ(name("\\ISO 2022 IR 87", "\x1B$B=\\=^\x1B(B^A"), "旬殉^A");
}

TEST(CharacterSet, KoreanAnnouncesItsSetInEveryComponent) {
  EXPECT_EQ(name("\\ISO 2022 IR 149",
                 "Hong^Gildong=\x1B$)C\xFB\xF3^\x1B$)C\xD1\xCE\xD4\xD7=\x1B$)C\xC8\xAB^\x1B$)C\xB1\xE6\xB5\xBF"),
            "Hong^Gildong=洪^吉洞=홍^길동");
}

TEST(CharacterSet, ChineseByCodeExtension) {
  EXPECT_EQ(name("\\ISO 2022 IR 58", "Zhang^XiaoDong=\x1B$)A\xD5\xC5^\x1B$)A\xD0\xA1\xB6\xAB="),
            "Zhang^XiaoDong=张^小东=");
}

TEST(CharacterSet, ChineseByGb18030AndGbk) {
  for (std::string_view set : {"GB18030", "GBK"})
    EXPECT_EQ(name(set, "Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB="), "Wang^XiaoDong=王^小东=");
  EXPECT_EQ(name("GB18030", "\x81\x30\x81\x30"), "\u0080") << "four bytes";
  EXPECT_EQ(name("GB18030", "\x81\x5C^A"), "乗^A") << "a trailing byte that is the code of a backslash";
  EXPECT_EQ(name("GB18030", "A\x81"), "A\uFFFD");
}

TEST(CharacterSet, Utf8IsTakenWhenItIsWellFormed) {
  EXPECT_EQ(name("ISO_IR 192", "Wang^XiaoDong=\xE7\x8E\x8B^\xE5\xB0\x8F\xE6\x9D\xB1="), "Wang^XiaoDong=王^小東=");
  EXPECT_EQ(name("ISO_IR 192", "\xF0\x9F\xA9\xBB"), "\xF0\x9F\xA9\xBB");
}

TEST(CharacterSet, EveryByteOfIllFormedUtf8BecomesTheReplacementCharacter) {
  EXPECT_EQ(name("ISO_IR 192", "a\xE9z"), "a\uFFFDz");
  EXPECT_EQ(name("ISO_IR 192", "\xC0\xAF"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(name("ISO_IR 192", "\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
  EXPECT_EQ(name("ISO_IR 192", "\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "beyond U+10FFFF";
  EXPECT_EQ(name("ISO_IR 192", "\xE7\x8E"), "\uFFFD\uFFFD") << "cut";
}

TEST(CharacterSet, ATextReturnsToTheFirstSetBehindADelimiter) {
  constexpr std::string_view kSets = "ISO 2022 IR 100\\ISO 2022 IR 144";
  for (std::string_view delimiter : {"\\", "\r\n", "\f", "\t"})
    EXPECT_EQ(text(kSets, "\xE9\x1B-L\xE9" + std::string(delimiter) + "\xE9"), "éщ" + std::string(delimiter) + "é");
  for (std::string_view delimiter : {"^", "="}) {
    EXPECT_EQ(name(kSets, "\xE9\x1B-L\xE9" + std::string(delimiter) + "\xE9"), "éщ" + std::string(delimiter) + "é");
    EXPECT_EQ(text(kSets, "\xE9\x1B-L\xE9" + std::string(delimiter) + "\xE9"), "éщ" + std::string(delimiter) + "щ");
  }
  EXPECT_EQ(text("\\ISO 2022 IR 87", "\x1B$B;3\r\nED"), "山\r\nED");
}

TEST(CharacterSet, AForgottenEscapeSequenceIsThatOfTheSetThatIsNamed) {
  EXPECT_EQ(name("ISO 2022 IR 6\\ISO 2022 IR 100", "M\xFCller^J\xF6rg"), "Müller^Jörg");
  EXPECT_EQ(name("\\ISO 2022 IR 58", "Zhang=\xD5\xC5^\xD0\xA1\xB6\xAB"), "Zhang=张^小东");
  EXPECT_EQ(text("\\ISO 2022 IR 149", "\x1B$)C\xFB\xF3\r\n\xD1\xCE\xD4\xD7"), "洪\r\n吉洞");
  EXPECT_EQ(text("\\ISO 2022 IR 144\\ISO 2022 IR 100", "\xE9\x1B-A\xE9"), "щé");
  EXPECT_EQ(name("\\ISO 2022 IR 87", "\xE9"), "\uFFFD") << "it has none";
}

TEST(CharacterSet, AnUnknownEscapeSequenceIsNotSwallowed) {
  EXPECT_EQ(text("\\ISO 2022 IR 87", "A\x1B(ZB"), "A\uFFFD(ZB");
  EXPECT_EQ(text("ISO_IR 100", "\xE9\x1B"), "é\uFFFD");
}

TEST(CharacterSet, TermsAreKnownInTheirMisspellings) {
  for (std::string_view term : {"ISO_IR 100", "ISO_IR 100 ", " iso_ir 100", "ISO-IR 100", "ISO IR 100", "ISO_IR_100",
                                "ISO 2022 IR 100", "ISO_2022_IR_100", "ISO_IR100"})
    EXPECT_EQ(name(term, "\xE9"), "é") << term;
  EXPECT_EQ(name(std::string_view("ISO_IR 192\0", 11), "\xC3\xA9"), "é");
  EXPECT_EQ(name("UTF-8", "\xC3\xA9"), "é");
}

TEST(CharacterSet, AnUnknownSetIsTakenForLatin1) {
  EXPECT_EQ(name("ISO_IR 999", "\xE9"), "é");
  EXPECT_EQ(name("Klingon", "\xE9"), "é");
}

}  // namespace
}  // namespace dicube::dicom
