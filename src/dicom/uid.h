// UIDs: those that are known, those made here (PS3.5 B.2), and what one says.
#pragma once

#include <string>
#include <string_view>

namespace dicube::dicom {

// Transfer syntaxes that are known by name (PS3.6 annex A).
constexpr std::string_view kImplicitLittleUid = "1.2.840.10008.1.2";
constexpr std::string_view kExplicitLittleUid = "1.2.840.10008.1.2.1";
constexpr std::string_view kEncapsulatedUncompressedUid = "1.2.840.10008.1.2.1.98";
constexpr std::string_view kDeflatedUid = "1.2.840.10008.1.2.1.99";
constexpr std::string_view kExplicitBigUid = "1.2.840.10008.1.2.2";
constexpr std::string_view kRleUid = "1.2.840.10008.1.2.5";
constexpr std::string_view kDeflatedFramesUid = "1.2.840.10008.1.2.8.1";
constexpr std::string_view kJpegBaselineUid = "1.2.840.10008.1.2.4.50";
constexpr std::string_view kJpegExtendedUid = "1.2.840.10008.1.2.4.51";
constexpr std::string_view kJpegSpectralUid = "1.2.840.10008.1.2.4.53";     // retired
constexpr std::string_view kJpegProgressiveUid = "1.2.840.10008.1.2.4.55";  // retired
constexpr std::string_view kJpegLosslessAnyUid = "1.2.840.10008.1.2.4.57";  // any selection value
constexpr std::string_view kJpegLosslessUid = "1.2.840.10008.1.2.4.70";     // selection value 1
constexpr std::string_view kJpegLsUid = "1.2.840.10008.1.2.4.80";
constexpr std::string_view kJpegLsNearUid = "1.2.840.10008.1.2.4.81";
constexpr std::string_view kJpeg2000LosslessUid = "1.2.840.10008.1.2.4.90";
constexpr std::string_view kJpeg2000Uid = "1.2.840.10008.1.2.4.91";
constexpr std::string_view kJpeg2000Part2LosslessUid = "1.2.840.10008.1.2.4.92";
constexpr std::string_view kJpeg2000Part2Uid = "1.2.840.10008.1.2.4.93";
constexpr std::string_view kJpipDeflatedUid = "1.2.840.10008.1.2.4.95";
constexpr std::string_view kJpegXlLosslessUid = "1.2.840.10008.1.2.4.110";
constexpr std::string_view kJpegXlOfJpegUid = "1.2.840.10008.1.2.4.111";  // JPEG recompression
constexpr std::string_view kJpegXlUid = "1.2.840.10008.1.2.4.112";
constexpr std::string_view kHtj2kLosslessUid = "1.2.840.10008.1.2.4.201";
constexpr std::string_view kHtj2kLosslessRpclUid = "1.2.840.10008.1.2.4.202";
constexpr std::string_view kHtj2kUid = "1.2.840.10008.1.2.4.203";
constexpr std::string_view kJpipHtj2kDeflatedUid = "1.2.840.10008.1.2.4.205";
// GE's private syntax: implicit VR, little endian, but pixel data of 16 bits in big endian.
constexpr std::string_view kGeBigEndianPixelsUid = "1.2.840.113619.5.2";

// The SOP class of DICOMDIR, the directory of a medium (PS3.10 8.6).
constexpr std::string_view kDirectoryUid = "1.2.840.10008.1.3.10";

// "2.25." and a UUID (version 8) made from the text: the same for the same text.
std::string derived_uid(std::string_view text);

// Whether this is a transfer syntax of MPEG2, MPEG-4 AVC/H.264, HEVC/H.265 or SMPTE ST 2110 (PS3.6 annex A): nobody
// tells its frames apart without decoding.
bool is_video(std::string_view transfer_syntax);

// Whether codestreams of this transfer syntax may have lost something (PS3.5 A.4).
bool may_be_lossy(std::string_view transfer_syntax);

}  // namespace dicube::dicom
