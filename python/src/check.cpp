#include "series/check.h"
#include "binding.h"

namespace dicube::python {
namespace {

std::optional<double> number_of(const nb::handle& value) {
  if (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr())) {
    const double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred() == nullptr) return number;
    PyErr_Clear();
  }
  return std::nullopt;
}

template <std::size_t N>
std::optional<std::array<double, N>> array_of(const nb::handle& value) {
  if (!PyList_Check(value.ptr()) || nb::len(value) != N) return std::nullopt;
  std::array<double, N> out{};
  for (std::size_t i = 0; i < N; ++i) {
    const auto number = number_of(value[i]);
    if (!number) return std::nullopt;
    out[i] = *number;
  }
  return out;
}

// A column of values, one per slice, into the member of the slices that has its keyword.
void fill(std::vector<Slice>& slices, std::string_view keyword, const nb::list& values) {
  static constexpr std::pair<std::string_view, std::optional<double> Slice::*> kNumbers[] = {
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
  static constexpr std::pair<std::string_view, std::string Slice::*> kTexts[] = {
      {"SOPInstanceUID", &Slice::sop_instance_uid},
      {"SeriesInstanceUID", &Slice::series_instance_uid},
      {"StudyInstanceUID", &Slice::study_instance_uid},
      {"FrameOfReferenceUID", &Slice::frame_of_reference_uid},
      {"PatientID", &Slice::patient_id},
      {"PatientName", &Slice::patient_name},
      {"Modality", &Slice::modality}};
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const nb::handle value = values[i];
    for (const auto& [name, member] : kNumbers)
      if (name == keyword) slices[i].*member = number_of(value);
    for (const auto& [name, member] : kTexts)
      if (name == keyword && !value.is_none()) slices[i].*member = nb::cast<std::string>(nb::str(value));
    if (keyword == "ImagePositionPatient") slices[i].position = array_of<3>(value);
    if (keyword == "ImageOrientationPatient") slices[i].orientation = array_of<6>(value);
    if (keyword == "PixelSpacing") slices[i].pixel_spacing = array_of<2>(value);
  }
}

nb::list check_columns(std::size_t count, const nb::dict& columns) {
  std::vector<Slice> slices(count);
  for (auto [keyword, values] : columns) {
    const auto list = nb::cast<nb::list>(values);
    if (list.size() != count) throw nb::value_error("one value per slice");
    fill(slices, nb::cast<std::string>(keyword), list);
  }
  nb::list out;
  for (const QualityFinding& finding : check(slices)) {
    nb::list numbers;
    for (std::size_t slice : finding.slices) numbers.append(slice);
    out.append(nb::make_tuple(finding.code, std::string(name(finding.severity)), finding.message, numbers));
  }
  return out;
}

}  // namespace

void bind_check(nb::module_& m) { m.def("check", &check_columns, nb::arg("slices"), nb::arg("columns")); }

}  // namespace dicube::python
