// UIDs: those made here (PS3.5 B.2), and what one says.
#pragma once

#include <string>
#include <string_view>

namespace dicube::dicom {

// "2.25." and a UUID (version 8) made from the text: the same for the same text.
std::string derived_uid(std::string_view text);

// Whether this is a transfer syntax of MPEG2, MPEG-4 AVC/H.264, HEVC/H.265 or SMPTE ST 2110 (PS3.6 annex A): nobody
// tells its frames apart without decoding.
bool is_video(std::string_view transfer_syntax);

}  // namespace dicube::dicom
