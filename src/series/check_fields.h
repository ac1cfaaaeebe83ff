// The elements that check() needs of a slice, one by one: where each goes.
#pragma once

#include <string_view>

#include "series/check.h"

namespace dicube {

template <class T>
struct SliceField {
  std::uint32_t tag;
  std::string_view keyword;
  T Slice::*member;
};

inline constexpr SliceField<std::optional<double>> kSliceNumbers[] = {
    {0x00200013, "InstanceNumber", &Slice::instance_number},
    {0x00180050, "SliceThickness", &Slice::thickness},
    {0x00281053, "RescaleSlope", &Slice::slope},
    {0x00281052, "RescaleIntercept", &Slice::intercept},
    {0x00280008, "NumberOfFrames", &Slice::frames},
    {0x00280010, "Rows", &Slice::rows},
    {0x00280011, "Columns", &Slice::columns},
    {0x00280002, "SamplesPerPixel", &Slice::samples},
    {0x00280100, "BitsAllocated", &Slice::bits_allocated},
    {0x00280101, "BitsStored", &Slice::bits_stored},
    {0x00280102, "HighBit", &Slice::high_bit},
    {0x00280103, "PixelRepresentation", &Slice::is_signed}};

inline constexpr SliceField<std::string> kSliceTexts[] = {
    {0x00080018, "SOPInstanceUID", &Slice::sop_instance_uid},
    {0x0020000E, "SeriesInstanceUID", &Slice::series_instance_uid},
    {0x0020000D, "StudyInstanceUID", &Slice::study_instance_uid},
    {0x00200052, "FrameOfReferenceUID", &Slice::frame_of_reference_uid},
    {0x00100020, "PatientID", &Slice::patient_id},
    {0x00100010, "PatientName", &Slice::patient_name},
    {0x00080060, "Modality", &Slice::modality}};

}  // namespace dicube
