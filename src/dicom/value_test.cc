#include "dicom/value.h"

#include <gtest/gtest.h>

namespace dicube::dicom {
namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;
using Doubles = std::vector<double>;

constexpr Encoding kLittle = Encoding::kExplicitLittle;
constexpr Encoding kBig = Encoding::kExplicitBig;

Values decoded(std::string_view value, std::string_view vr, Encoding encoding = kLittle,
               const CharacterSet& charset = CharacterSet()) {
  return decode(as_bytes(value), vr, encoding, charset);
}
Values raw(std::string_view value) { return Bytes(as_bytes(value).begin(), as_bytes(value).end()); }

TEST(Value, ATextIsSplitAtBackslashesAndItsTrailingPaddingRemoved) {
  EXPECT_EQ(decoded("ORIGINAL\\PRIMARY \\AXIAL ", "CS"), Values(Strings{"ORIGINAL", "PRIMARY", "AXIAL"}));
  EXPECT_EQ(decoded(std::string_view("1.2.840\0", 8), "UI"), Values(Strings{"1.2.840"}));
  EXPECT_EQ(decoded("A\\\\B\\", "LO"), Values(Strings{"A", "", "B", ""}));
  EXPECT_EQ(decoded(" 12.5 ", "DS"), Values(Strings{" 12.5"}));
  EXPECT_EQ(decoded("  ", "SH"), Values(Strings{""}));
}

TEST(Value, AnEmptyValueHasNoValues) {
  EXPECT_EQ(decoded("", "PN"), Values(Strings{}));
  EXPECT_EQ(decoded("", "US"), Values(Integers{}));
  EXPECT_EQ(decoded("", "FD"), Values(Doubles{}));
  EXPECT_EQ(decoded("", "OB"), Values(Bytes{}));
}

TEST(Value, ALongTextIsOneValueWithItsBackslashes) {
  for (std::string_view vr : {"LT", "ST", "UT", "UR"})
    EXPECT_EQ(decoded(" a\\b\r\nc  ", vr), Values(Strings{" a\\b\r\nc"})) << vr;
}

TEST(Value, TextIsSplitAfterItIsDecoded) {
  // The first character's second byte is the code of a backslash.
  EXPECT_EQ(decoded("\x81\x5C\\A", "LO", kLittle, CharacterSet("GB18030")), Values(Strings{"乗", "A"}));
  EXPECT_EQ(decoded("\xE9\x1B-L\xE9\\\xE9", "LO", kLittle, CharacterSet("ISO 2022 IR 100\\ISO 2022 IR 144")),
            Values(Strings{"éщ", "é"}));
}

TEST(Value, AttributeTagsAreWrittenAsEightDigits) {
  EXPECT_EQ(decoded(std::string_view("\x18\x00\xAF\x91\x20\x00\x11\x00", 8), "AT"),
            Values(Strings{"001891AF", "00200011"}));
  EXPECT_EQ(decoded(std::string_view("\x00\x18\x91\xAF", 4), "AT", kBig), Values(Strings{"001891AF"}));
}

TEST(Value, IntegersOfEverySizeSignAndByteOrder) {
  EXPECT_EQ(decoded("\xFE\xFF\x01\x02", "US"), Values(Integers{0xFFFE, 0x0201}));
  EXPECT_EQ(decoded("\xFE\xFF\x01\x02", "SS"), Values(Integers{-2, 0x0201}));
  EXPECT_EQ(decoded("\xFF\xFE\x02\x01", "SS", kBig), Values(Integers{-2, 0x0201}));
  EXPECT_EQ(decoded("\xFE\xFF\xFF\xFF", "UL"), Values(Integers{0xFFFFFFFE}));
  EXPECT_EQ(decoded("\xFE\xFF\xFF\xFF", "SL"), Values(Integers{-2}));
  EXPECT_EQ(decoded("\xFF\xFF\xFF\xFE", "SL", kBig), Values(Integers{-2}));
  EXPECT_EQ(decoded("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "SV"), Values(Integers{-2}));
  EXPECT_EQ(decoded("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\x7F", "UV"), Values(Integers{0x7FFFFFFFFFFFFFFE}));
  EXPECT_EQ(decoded(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0\0\0\0\x80", 16), "UV"),
            Values(Strings{"18446744073709551615", "9223372036854775808"}));
}

TEST(Value, FloatingPointNumbersOfBothSizesAndByteOrders) {
  EXPECT_EQ(decoded(std::string_view("\0\0\xC0\x3F", 4), "FL"), Values(Doubles{1.5}));
  EXPECT_EQ(decoded(std::string_view("\x3F\xC0\0\0", 4), "FL", kBig), Values(Doubles{1.5}));
  EXPECT_EQ(decoded(std::string_view("\0\0\0\0\0\0\xF8\xBF", 8), "FD"), Values(Doubles{-1.5}));
}

TEST(Value, ValuesAreJoinedToOneText) {
  EXPECT_EQ(joined(Strings{"A", "", "B"}, "LO", "\\"), "A\\\\B");
  EXPECT_EQ(joined(Integers{-1, 2}, "SS", "_"), "-1_2");
  EXPECT_EQ(joined(Doubles{0.1F, 2.5}, "FL", ", "), "0.1, 2.5") << "as short as a float is";
  EXPECT_EQ(joined(Doubles{0.1}, "FD", ""), "0.1");
  EXPECT_EQ(joined(Integers{1, 2, 3}, "US", " ", 2), "1 2");
  EXPECT_EQ(joined(Strings{}, "LO", "\\"), "");
  EXPECT_EQ(joined(Bytes(3), "OB", "\\"), std::nullopt);
}

TEST(Value, WhatContradictsItsVrComesBackAsBytes) {
  EXPECT_EQ(decoded("abc", "US"), raw("abc"));
  EXPECT_EQ(decoded("abcdef", "AT"), raw("abcdef"));
  EXPECT_EQ(decoded("abcdef", "FD"), raw("abcdef"));
  EXPECT_EQ(decoded("\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "UV"), raw("\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
}

TEST(Value, BinaryAndUnknownVrsComeBackAsBytes) {
  for (std::string_view vr : {"OB", "OW", "OD", "OF", "OL", "OV", "UN", "SQ", "ZZ", "", "A"})
    EXPECT_EQ(decoded("abcd", vr), raw("abcd")) << vr;
}

std::optional<double> first(std::string_view value, std::string_view vr, Encoding encoding = kLittle) {
  return first_number(as_bytes(value), vr, encoding);
}

TEST(Value, TheFirstNumberOfADecimalOrIntegerString) {
  EXPECT_EQ(first("1.5\\x", "DS"), 1.5);
  EXPECT_EQ(first(" +12 ", "IS"), 12.0);
  EXPECT_EQ(first("-1.25E-2", "DS"), -0.0125);
  EXPECT_EQ(first(".5", "DS"), 0.5);
  EXPECT_EQ(first("5.", "DS"), 5.0);
  EXPECT_EQ(first(std::string_view("7\0", 2), "IS"), 7.0);
}

TEST(Value, NoFirstNumberWhereThereIsNone) {
  for (std::string_view text :
       {"", " ", "\\1", "abc", "1,5", "1 2", "1.5mm", "inf", "nan", "0x10", "+-1", "--1", "1e999"})
    EXPECT_EQ(first(text, "DS"), std::nullopt) << text;
  EXPECT_EQ(first("1", "LO"), std::nullopt);
  EXPECT_EQ(first("1", "US"), std::nullopt) << "half of a number";
  EXPECT_EQ(first("12", "OW"), std::nullopt);
}

TEST(Value, TheFirstNumberOfABinaryValue) {
  EXPECT_EQ(first("\xFE\xFF\x01", "SS"), -2.0);
  EXPECT_EQ(first("\xFF\xFE", "US", kBig), 65534.0);
  EXPECT_EQ(first("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "UV"), 18446744073709551616.0);
  EXPECT_EQ(first(std::string_view("\0\0\xC0\x3F", 4), "FL"), 1.5);
}

TEST(Value, AllNumbersOrNone) {
  EXPECT_EQ(numbers(as_bytes("-1\\2.5\\ 3 "), "DS", kLittle), (Doubles{-1, 2.5, 3}));
  EXPECT_EQ(numbers(as_bytes("1\\\\3"), "DS", kLittle), Doubles{});
  EXPECT_EQ(numbers(as_bytes(""), "DS", kLittle), Doubles{});
  EXPECT_EQ(numbers(as_bytes("\x01\x02\xFF\xFF"), "SS", kLittle), (Doubles{513, -1}));
  EXPECT_EQ(numbers(as_bytes("\x01\x02\xFF"), "SS", kLittle), Doubles{});
  EXPECT_EQ(numbers(as_bytes("1"), "LO", kLittle), Doubles{});
}

TEST(Value, TrimmingTakesSpacesAndNulsOffBothEnds) {
  EXPECT_EQ(trimmed(as_bytes(std::string_view(" \0 1.2 3 \0", 10))), "1.2 3");
  EXPECT_EQ(trimmed(as_bytes("  ")), "");
  EXPECT_EQ(trimmed({}), "");
}

TEST(Value, VrsAreSorted) {
  for (std::string_view vr :
       {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
    EXPECT_TRUE(is_text(vr)) << vr;
  for (std::string_view vr : {"", "A", "AT", "US", "OB", "SQ", "UN", "E ", " A", "AE "})
    EXPECT_FALSE(is_text(vr)) << vr;
  for (std::string_view vr : {"SH", "LO", "ST", "LT", "PN", "UC", "UT"}) EXPECT_TRUE(is_affected_by_charset(vr)) << vr;
  for (std::string_view vr : {"CS", "UI", "UR", "DA", "AE"}) EXPECT_FALSE(is_affected_by_charset(vr)) << vr;
}

}  // namespace
}  // namespace dicube::dicom
