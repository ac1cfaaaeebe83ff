// An archive's instances as what check() needs of them.
#include <algorithm>

#include "base/result.h"
#include "series/check.h"

namespace dicube {
namespace {

// Hands every instance's column to `take`; nothing happens when no instance has it.
template <class Take>
Status each(const Archive& archive, std::string_view path, std::vector<Slice>& slices, Take take) {
  const auto column = archive.column(path);
  if (!column) {
    if (column.error().error_class == ErrorClass::kNotFound) return {};
    return tl::unexpected<Error>(column.error());
  }
  for (std::size_t i = 0; i < slices.size(); ++i) take(*column, i, slices[i]);
  return {};
}

template <std::size_t N>
Status read_array(const Archive& archive, std::string_view path, std::vector<Slice>& slices,
                  std::optional<std::array<double, N>> Slice::*member) {
  return each(archive, path, slices, [&](const Column& column, std::size_t i, Slice& slice) {
    const auto numbers = column.numbers(i);
    if (numbers.size() != N) return;
    std::array<double, N> value{};
    std::copy(numbers.begin(), numbers.end(), value.begin());
    slice.*member = value;
  });
}

}  // namespace

Result<SeriesSlices> slices_of(const Archive& archive) {
  std::vector<Slice> slices(archive.instances().size());
  static constexpr std::pair<const char*, std::optional<double> Slice::*> kNumbers[] = {
      {"InstanceNumber", &Slice::instance_number},
      {"SliceThickness", &Slice::thickness},
      {"RescaleSlope", &Slice::slope},
      {"RescaleIntercept", &Slice::intercept},
      {"Rows", &Slice::rows},
      {"Columns", &Slice::columns},
      {"SamplesPerPixel", &Slice::samples},
      {"BitsAllocated", &Slice::bits_allocated},
      {"BitsStored", &Slice::bits_stored},
      {"HighBit", &Slice::high_bit},
      {"PixelRepresentation", &Slice::is_signed}};
  static constexpr std::pair<const char*, std::string Slice::*> kTexts[] = {
      {"SOPInstanceUID", &Slice::sop_instance_uid},
      {"SeriesInstanceUID", &Slice::series_instance_uid},
      {"StudyInstanceUID", &Slice::study_instance_uid},
      {"FrameOfReferenceUID", &Slice::frame_of_reference_uid},
      {"PatientID", &Slice::patient_id},
      {"PatientName", &Slice::patient_name},
      {"Modality", &Slice::modality}};
  for (const auto& [path, member] : kNumbers)
    DICUBE_TRY(
        each(archive, path, slices, [m = member](const Column& c, std::size_t i, Slice& s) { s.*m = c.number(i); }));
  for (const auto& [path, member] : kTexts)
    DICUBE_TRY(each(archive, path, slices,
                    [m = member](const Column& c, std::size_t i, Slice& s) { s.*m = c.text(i).value_or(""); }));
  DICUBE_TRY(read_array(archive, "ImagePositionPatient", slices, &Slice::position));
  DICUBE_TRY(read_array(archive, "ImageOrientationPatient", slices, &Slice::orientation));
  DICUBE_TRY(read_array(archive, "PixelSpacing", slices, &Slice::pixel_spacing));
  const auto instances = archive.instances();
  const bool any = std::any_of(instances.begin(), instances.end(), [](const Instance& i) { return i.frames > 0; });
  SeriesSlices out;
  out.series_instance_uid = archive.info().series_instance_uid;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (any && instances[i].frames == 0) continue;
    out.slices.push_back(std::move(slices[i]));
    out.names.push_back(instances[i].name);
  }
  return out;
}

}  // namespace dicube
