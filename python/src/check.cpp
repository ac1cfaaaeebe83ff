#include "series/check.h"
#include "binding.h"
#include "dicom/uid.h"
#include "series/check_fields.h"

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

std::string text_of(const nb::handle& value) {
  const nb::str text(value);
  const nb::object bytes = nb::steal(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "replace"));
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (!bytes.is_valid() || PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw nb::python_error();
  return {data, static_cast<std::size_t>(size)};
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

// What the column of this name has of each slice: of every frame position, orientation and pixel spacing.
constexpr std::string_view kPlanes = "planes";

std::vector<Plane> planes_of(const nb::handle& frames) {
  std::vector<Plane> planes;
  for (const nb::handle frame : nb::cast<nb::list>(frames))
    planes.push_back({array_of<3>(frame[0]), array_of<6>(frame[1]), array_of<2>(frame[2])});
  return planes;
}

// A column of values, one per slice, into the member of the slices that has its keyword.
void fill(std::vector<Slice>& slices, std::string_view keyword, const nb::list& values) {
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const nb::handle value = values[i];
    for (const auto& field : kSliceNumbers)
      if (field.keyword == keyword) slices[i].*field.member = number_of(value);
    for (const auto& field : kSliceTexts)
      if (field.keyword == keyword && !value.is_none()) slices[i].*field.member = text_of(value);
    if (keyword == "ImagePositionPatient") slices[i].position = array_of<3>(value);
    if (keyword == "ImageOrientationPatient") slices[i].orientation = array_of<6>(value);
    if (keyword == "PixelSpacing") slices[i].pixel_spacing = array_of<2>(value);
    if (keyword == kPlanes) slices[i].planes = planes_of(value);
    if (keyword == "TransferSyntaxUID" && dicom::is_video(text_of(value))) slices[i].has_frames.reset();
  }
}

// `frames`, and `digests` of the files: of each slice; empty where that is not known. `not_whole`, `broken`: slices by
// number.
nb::list check_columns(std::size_t count, const nb::dict& columns, const nb::list& frames, const nb::list& digests,
                       const nb::list& not_whole, const nb::list& broken) {
  std::vector<Slice> slices(count);
  for (std::size_t i = 0; i < std::min(count, frames.size()); ++i)
    if (const auto number = number_of(frames[i])) slices[i].has_frames = *number > 0;
  for (const nb::handle slice : not_whole) slices.at(nb::cast<std::size_t>(slice)).is_whole = false;
  for (const nb::handle slice : broken) slices.at(nb::cast<std::size_t>(slice)).is_broken = true;
  for (auto [keyword, values] : columns) {
    const auto list = nb::cast<nb::list>(values);
    if (list.size() != count) throw nb::value_error("one value per slice");
    fill(slices, nb::cast<std::string>(keyword), list);
  }
  std::vector<Finding> findings = check(slices);
  std::vector<std::string> of_files;
  for (const nb::handle digest : digests) of_files.push_back(text_of(digest));
  if (of_files.size() == count) tell_copies(findings, [&](std::size_t i) { return as_bytes(of_files[i]); });
  return findings_to_python(findings);
}

}  // namespace

nb::list findings_to_python(const std::vector<Finding>& findings) {
  return list_of(findings, [](const Finding& finding) {
    const nb::list numbers = list_of(finding.slices, [](std::size_t slice) { return nb::int_(slice); });
    return nb::make_tuple(to_path(finding.code), std::string(name(finding.severity)), to_path(finding.message),
                          numbers);
  });
}

void bind_check(nb::module_& m) {
  m.def("check", &check_columns, nb::arg("slices"), nb::arg("columns"), nb::arg("frames"), nb::arg("digests"),
        nb::arg("not_whole"), nb::arg("broken"));
}

}  // namespace dicube::python
