// UIDs: those that are known, those made here (PS3.5 B.2), and what one says.
#pragma once

#include <string>
#include <string_view>

namespace dicube::dicom {

// Transfer syntaxes that are known by name (PS3.6 annex A).
constexpr std::string_view kImplicitLittleUid = "1.2.840.10008.1.2";
constexpr std::string_view kExplicitLittleUid = "1.2.840.10008.1.2.1";
constexpr std::string_view kDeflatedUid = "1.2.840.10008.1.2.1.99";
constexpr std::string_view kExplicitBigUid = "1.2.840.10008.1.2.2";
constexpr std::string_view kHtj2kLosslessUid = "1.2.840.10008.1.2.4.201";
constexpr std::string_view kHtj2kLosslessRpclUid = "1.2.840.10008.1.2.4.202";
// GE's private syntax: implicit VR, little endian, but pixel data of 16 bits in big endian.
constexpr std::string_view kGeBigEndianPixelsUid = "1.2.840.113619.5.2";

// The SOP class of DICOMDIR, the directory of a medium (PS3.10 8.6).
constexpr std::string_view kDirectoryUid = "1.2.840.10008.1.3.10";

// "2.25." and a UUID (version 8) made from the text: the same for the same text.
std::string derived_uid(std::string_view text);

// Whether this is a transfer syntax of MPEG2, MPEG-4 AVC/H.264, HEVC/H.265 or SMPTE ST 2110 (PS3.6 annex A): nobody
// tells its frames apart without decoding.
bool is_video(std::string_view transfer_syntax);

}  // namespace dicube::dicom
