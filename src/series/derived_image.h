// What makes an image that was coded with losses one of its own (PS3.3 C.7.6.1.1.5, C.12.4).
#pragma once

#include "dicom/rewrite.h"
#include "dicom/top_level.h"
#include "dicube/archive.h"
#include "series/transcode.h"

namespace dicube::series {

// Lossy Image Compression Method of a codec's losses (C.7.6.1.1.5.2); empty where it has none.
std::string_view lossy_method(codec::CodecId codec);

// One more value of Lossy Image Compression Ratio and Method each, behind those of the data set `top` and its edits
// (C.7.6.1.1.5.1).
void add_lossy_step(const dicom::TopLevel& top, double ratio, std::string_view method, dicom::Edits& edits);
// Whether `top` tells of any step.
bool tells_lossy_steps(const dicom::TopLevel& top);

// Edits of the data set `top` of `instance`, whose frames got `ratio` times smaller.
void derive_image(const dicom::TopLevel& top, const Instance& instance, const Transcoding& how, double ratio,
                  dicom::Edits& edits);

// Frame Type, in functional groups of `file`, agrees with Image Type (C.8.16.1).
void derive_frames(const dicom::Tokens& tokens, MutableByteSpan file);

}  // namespace dicube::series
