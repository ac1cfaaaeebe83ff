// UIDs made here (PS3.5 B.2).
#pragma once

#include <string>
#include <string_view>

namespace dicube::dicom {

// "2.25." and a UUID (version 8) made from the text: the same for the same text.
std::string derived_uid(std::string_view text);

}  // namespace dicube::dicom
