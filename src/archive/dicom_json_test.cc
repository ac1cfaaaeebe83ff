#include "archive/dicom_json.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "dicom/dictionary.h"

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

}  // namespace
}  // namespace dicube::archive
