#include "series/frame_values.h"

#include <algorithm>

#include "archive/frames.h"
#include "dicom/tags.h"
#include "dicom/uid.h"

namespace dicube::series {
std::string decoded_photometric(const format::FrameFormat& format) {
  const std::string& stated = format.photometric;
  if (format.samples != 3) return stated;
  if (stated == "YBR_RCT" || stated == "YBR_ICT" || stated == "XYB") return "RGB";
  // A recompressed JPEG is decoded to its colours; what JPEG XL was given comes out as it went in.
  const bool was_given = stated == "YBR_FULL" && format.transfer_syntax != dicom::kJpegXlOfJpegUid;
  if (stated.starts_with("YBR") && !was_given && archive::codec_of(format, 0) == codec::CodecId::kJpegXl) return "RGB";
  return stated == "YBR_FULL_422" ? "YBR_FULL" : stated;
}

void describe_pixels(const format::FrameFormat& format, const std::string& photometric, dicom::Edits& edits) {
  if (format.samples > 1) edits[dicom::kPlanarConfiguration] = dicom::number_edit(0);
  if (photometric != format.photometric)
    edits[dicom::kPhotometricInterpretation] = dicom::text_edit({'C', 'S'}, photometric);
  for (const dicom::Tag tag : {dicom::kExtendedOffsetTable, dicom::kExtendedOffsetTableLengths}) edits[tag] = {};
}

bool has_overlay_in_pixels(const dicom::TopLevel& top) {
  return std::ranges::any_of(top.all(), [&](const dicom::Token* token) {
    return (token->tag & 0xFF00FFFF) == 0x60000102 && top.find((token->tag & 0xFFFF0000) | 0x3000) == nullptr;
  });
}

codec::Shape public_shape(const format::FrameFormat& format) {
  codec::Shape shape = archive::value_shape(format);
  shape.colour = format.samples == 3 && decoded_photometric(format) == "RGB";
  return shape;
}

}  // namespace dicube::series
