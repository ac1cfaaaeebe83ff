// The data dictionary of PS3.6: generated tables, see tools/.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dicom/tokenizer.h"

namespace dicube::dicom {

struct DictionaryEntry {
  std::string_view keyword;  // "PatientName"
  std::string_view name;     // "Patient's Name"
  std::string_view vr;       // "PN"; the first of several: "US" for "US or SS"
  std::string_view vm;       // "1-n"
  bool retired;
};

// nullptr when unknown. Repeating groups (50xx, 60xx) are found by any of their tags.
const DictionaryEntry* find(Tag tag);
std::optional<Tag> find_keyword(std::string_view keyword);
// "; did you mean PatientName?" for a mistyped keyword; empty when no keyword is near.
std::string suggested_keyword(std::string_view typed);

// "00080018" -> the tag; accepts "gggg,eeee", "(gggg,eeee)", "ggggeeee", "0xggggeeee" and keywords.
std::optional<Tag> parse_tag(std::string_view text);
std::string format_tag(Tag tag);  // "(0008,0018)"

// The VR of an element whose header has none (implicit VR, PS3.5 A.1): by dictionary, "UL" for group lengths,
// "LO" for private creators, else "UN".
std::string_view implicit_vr(Tag tag);
// Whether PS3.6 gives the VR as "US or SS": SS where Pixel Representation is 1 (PS3.5 A.1). implicit_vr() says US.
bool follows_pixel_representation(Tag tag);

struct UidEntry {
  std::string_view uid, name;
};
const UidEntry* find_uid(std::string_view uid);  // transfer syntaxes and SOP classes of PS3.6 annex A

// GE's private syntax: implicit VR, little endian, but pixel data of 16 bits in big endian.
constexpr std::string_view kGeBigEndianPixels = "1.2.840.113619.5.2";

constexpr Tag kSpecificCharacterSet = 0x00080005;
constexpr Tag kSopClassUid = 0x00080016;
constexpr Tag kSopInstanceUid = 0x00080018;
constexpr Tag kModality = 0x00080060;
constexpr Tag kStudyInstanceUid = 0x0020000D;
constexpr Tag kSeriesInstanceUid = 0x0020000E;
constexpr Tag kInstanceNumber = 0x00200013;
constexpr Tag kImagePosition = 0x00200032;
constexpr Tag kImageOrientation = 0x00200037;
constexpr Tag kSamplesPerPixel = 0x00280002;
constexpr Tag kPhotometricInterpretation = 0x00280004;
constexpr Tag kPlanarConfiguration = 0x00280006;
constexpr Tag kNumberOfFrames = 0x00280008;
constexpr Tag kConcatenationFrameOffset = 0x00209228;
constexpr Tag kSharedGroups = 0x52009229, kPerFrameGroups = 0x52009230;  // functional groups
constexpr Tag kRows = 0x00280010;
constexpr Tag kColumns = 0x00280011;
constexpr Tag kBitsAllocated = 0x00280100;
constexpr Tag kBitsStored = 0x00280101;
constexpr Tag kHighBit = 0x00280102;
constexpr Tag kPixelRepresentation = 0x00280103;
constexpr Tag kFloatPixelData = 0x7FE00008;
constexpr Tag kDoubleFloatPixelData = 0x7FE00009;
constexpr Tag kPixelData = 0x7FE00010;

}  // namespace dicube::dicom
