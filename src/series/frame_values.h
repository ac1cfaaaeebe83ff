// Frames as they are once decoded (see PixelFormat).
#pragma once

#include <string>

#include "archive/stored_values.h"
#include "dicom/rewrite.h"
#include "dicom/top_level.h"

namespace dicube::series {

// What the values mean: the source's Photometric Interpretation unless decoding changes it.
std::string decoded_photometric(const format::FrameFormat& format);

// What a data set with decoded or recoded pixels says of them: they are interleaved, they mean `photometric`, and the
// source's offsets of fragments are gone.
void describe_pixels(const format::FrameFormat& format, const std::string& photometric, dicom::Edits& edits);

// Overlays in bits of the pixels (retired): Overlay Bit Position without Overlay Data.
bool has_overlay_in_pixels(const dicom::TopLevel& top);

// Interleaved, little endian, as many bits as the container has; precision says how many of them are stored. Red, green
// and blue are to be transformed (YBR_RCT), also where that is larger: cornerstone's OpenJPH scrambles the rows of
// HTJ2K that is not, and in ultrasound objects dciodvfy takes RGB in JPEG 2000 for an error.
codec::Shape public_shape(const format::FrameFormat& format);

using archive::clean_upper_bits;

}  // namespace dicube::series
