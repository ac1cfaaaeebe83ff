// The data dictionary of PS3.6: generated tables, see tools/.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dicom/tags.h"

namespace dicube::dicom {

struct DictionaryEntry {
  std::string_view keyword;  // "PatientName"
  std::string_view vr;       // "PN"; the first of several: "US" for "US or SS"
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

}  // namespace dicube::dicom
