#include "archive/dicom_json.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "dicom/tags.h"

namespace dicube::archive {
namespace {

constexpr std::uint32_t kCodeMeaning = 0x00080104, kRegions = 0x00082218, kModifiers = 0x00082220;

Element text(std::uint32_t tag, const char* vr, std::string_view value) {
  Element element;
  element.tag = tag;
  element.vr = vr;
  element.value = as_bytes(value);
  return element;
}

Element sequence(std::uint32_t tag, std::vector<std::vector<Element>> items) {
  Element element;
  element.tag = tag;
  element.vr = "SQ";
  element.is_sequence = true;
  element.items = std::move(items);
  return element;
}

TEST(DicomJson, TextsInItemsAreInTheirOwnOrTheInheritedCharacterSet) {
  DataSet data_set;
  data_set.charset = "ISO_IR 100";
  data_set.elements.push_back(sequence(
      kRegions, {{text(kCodeMeaning, "LO",
                       "Sch\xE4"
                       "del")},
                 {text(dicom::kSpecificCharacterSet, "CS", "ISO_IR 144"), text(kCodeMeaning, "LO", "\xBD\xDE\xD3\xD0"),
                  sequence(kModifiers, {{text(kCodeMeaning, "LO", "\xBD")}})}}));
  const auto items = dicom_json(data_set)["00082218"]["Value"];
  EXPECT_EQ(items[0]["00080104"]["Value"][0], "Schädel");
  EXPECT_EQ(items[1]["00080104"]["Value"][0], "Нога");
  EXPECT_EQ(items[1]["00082220"]["Value"][0]["00080104"]["Value"][0], "Н");
}

TEST(DicomJson, IntegerStringsThatAreNoIntegersKeepTheirValues) {
  DataSet data_set;
  data_set.elements.push_back(text(dicom::kInstanceNumber, "IS", "3.7\\12\\-5.0\\1e3\\1e300\\many"));
  const auto values = dicom_json(data_set)["00200013"]["Value"];
  EXPECT_EQ(values.dump(), R"([3.7,12,-5,1000,1e+300,"many"])");
}

TEST(DicomJson, ElementsStandInTheirOrderAndOfTwoWithOneTagTheLast) {
  DataSet data_set;
  data_set.elements = {text(kCodeMeaning, "LO", "first"), text(dicom::kModality, "CS", "CT"),
                       text(kCodeMeaning, "LO", "last")};
  EXPECT_EQ(dicom_json(data_set).dump(),
            R"({"00080104":{"vr":"LO","Value":["last"]},"00080060":{"vr":"CS","Value":["CT"]}})");
}

TEST(DicomJson, GroupLengthsAndStrayItemsAreLeftOut) {
  DataSet data_set;
  data_set.elements = {text(0x00080000, "UL", "1234"), text(dicom::kModality, "CS", "CT"), text(0xFFFEE000, "UN", "")};
  EXPECT_EQ(dicom_json(data_set).dump(), R"({"00080060":{"vr":"CS","Value":["CT"]}})");
}

TEST(DicomJson, PixelsAndAValueThatWasLeftOutAreSomewhereElseAndNotEmpty) {
  DataSet data_set;
  data_set.elements = {text(0x00091001, "OB", ""), text(0x00091002, "OB", ""), text(dicom::kPixelData, "OW", "")};
  data_set.elements[0].left_out = 5;
  data_set.elements[2].is_pixels = true;
  EXPECT_EQ(
      dicom_json(data_set).dump(),
      R"({"00091001":{"vr":"OB","BulkDataURI":""},"00091002":{"vr":"OB"},"7FE00010":{"vr":"OW","BulkDataURI":""}})");
}

// Looking for each of them among those before it would take minutes.
TEST(DicomJson, ManyElementsTakeAsLongAsTheyAreMany) {
  DataSet data_set;
  constexpr std::uint32_t kMany = 250'000;
  for (std::uint32_t i = 0; i < kMany; ++i)
    data_set.elements.push_back(text((0x0011 + 2 * (i / 0xF000)) << 16 | (0x1000 + i % 0xF000), "LO", "x"));
  EXPECT_EQ(dicom_json(data_set).size(), kMany);
}

TEST(DicomJson, UnsignedNumbersOf64BitsAreNumbers) {
  DataSet data_set;
  data_set.elements.push_back(
      text(0x00080040, "UV", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x01\x01\x01\x01\x01\x01\x01"));
  const auto element = dicom_json(data_set)["00080040"];
  EXPECT_FALSE(element.contains("InlineBinary"));
  EXPECT_EQ(element["Value"][0], 18446744073709551615U);
  EXPECT_EQ(element["Value"][1], 0x0101010101010101U);
}

TEST(DicomJson, WhatContradictsItsVrIsUnknownBytes) {
  DataSet data_set;
  data_set.encoding = static_cast<std::uint8_t>(dicom::Encoding::kExplicitBig);
  for (const char* vr : {"SQ", "US", "AT", "FD", "XY"}) {
    data_set.elements = {text(0x00091001, vr, "NAMED TYPEX")};
    EXPECT_EQ(dicom_json(data_set).dump(), R"({"00091001":{"vr":"UN","InlineBinary":"TkFNRUQgVFlQRVg="}})") << vr;
  }
}

TEST(DicomJson, InlineBinaryIsLittleEndianWhateverTheFileIs) {
  DataSet data_set;
  data_set.encoding = static_cast<std::uint8_t>(dicom::Encoding::kExplicitBig);
  constexpr std::string_view kEight = "\x01\x02\x03\x04\x05\x06\x07\x08";
  const std::pair<const char*, const char*> wanted[] = {
      {"OB", "AQIDBAUGBwg="}, {"UN", "AQIDBAUGBwg="}, {"OW", "AgEEAwYFCAc="}, {"OL", "BAMCAQgHBgU="},
      {"OF", "BAMCAQgHBgU="}, {"OV", "CAcGBQQDAgE="}, {"OD", "CAcGBQQDAgE="}};
  for (const auto& [vr, base64] : wanted) {
    data_set.elements = {sequence(kRegions, {{text(0x00091001, vr, kEight)}})};
    EXPECT_EQ(dicom_json(data_set)["00082218"]["Value"][0]["00091001"]["InlineBinary"], base64) << vr;
  }
}

}  // namespace
}  // namespace dicube::archive
