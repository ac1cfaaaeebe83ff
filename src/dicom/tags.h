// Tags that are known by name, and what a file begins with.
#pragma once

#include <cstdint>
#include <string_view>

namespace dicube::dicom {

using Tag = std::uint32_t;  // (group << 16) | element

// PS3.10 7.1: a preamble, the prefix, and the file meta group.
constexpr std::uint64_t kPreambleBytes = 128;
constexpr std::string_view kPrefix = "DICM";
constexpr Tag kMetaGroupLength = 0x00020000;
constexpr Tag kMetaVersion = 0x00020001;
constexpr Tag kMetaSopClassUid = 0x00020002;
constexpr Tag kMetaSopInstanceUid = 0x00020003;
constexpr Tag kTransferSyntaxUid = 0x00020010;
constexpr Tag kImplementationClassUid = 0x00020012;
constexpr Tag kImplementationVersionName = 0x00020013;

constexpr Tag kSpecificCharacterSet = 0x00080005;
constexpr Tag kSopClassUid = 0x00080016;
constexpr Tag kSopInstanceUid = 0x00080018;
constexpr Tag kModality = 0x00080060;
constexpr Tag kSliceThickness = 0x00180050;
constexpr Tag kStudyInstanceUid = 0x0020000D;
constexpr Tag kSeriesInstanceUid = 0x0020000E;
constexpr Tag kInstanceNumber = 0x00200013;
constexpr Tag kImagePosition = 0x00200032;
constexpr Tag kImageOrientation = 0x00200037;
constexpr Tag kConcatenationFrameOffset = 0x00209228;
constexpr Tag kSamplesPerPixel = 0x00280002;
constexpr Tag kPhotometricInterpretation = 0x00280004;
constexpr Tag kPlanarConfiguration = 0x00280006;
constexpr Tag kNumberOfFrames = 0x00280008;
constexpr Tag kRows = 0x00280010;
constexpr Tag kColumns = 0x00280011;
constexpr Tag kPixelSpacing = 0x00280030;
constexpr Tag kBitsAllocated = 0x00280100;
constexpr Tag kBitsStored = 0x00280101;
constexpr Tag kHighBit = 0x00280102;
constexpr Tag kPixelRepresentation = 0x00280103;
constexpr Tag kLossyImageCompression = 0x00282110;
constexpr Tag kSharedGroups = 0x52009229, kPerFrameGroups = 0x52009230;  // functional groups (PS3.3 C.7.6.16)
constexpr Tag kExtendedOffsetTable = 0x7FE00001, kExtendedOffsetTableLengths = 0x7FE00002;
constexpr Tag kFloatPixelData = 0x7FE00008;
constexpr Tag kDoubleFloatPixelData = 0x7FE00009;
constexpr Tag kPixelData = 0x7FE00010;

// Native pixel data, or encapsulated ones, of whichever type.
constexpr bool is_pixel_data(Tag tag) {
  return tag == kPixelData || tag == kFloatPixelData || tag == kDoubleFloatPixelData;
}

// Items and delimitations (PS3.5 7.5), which are no elements of a data set.
constexpr bool is_item_or_delimitation(Tag tag) { return tag >> 16 == 0xFFFE; }

}  // namespace dicube::dicom
