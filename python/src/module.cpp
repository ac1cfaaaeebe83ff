#include "binding.h"
#include "dicom/dictionary.h"

namespace dicube::python {

nb::object exception_of(const Error& error) {
  const nb::object make = nb::module_::import_("dicube.exceptions").attr("_from_core");
  return make(to_text(name(error.error_class)), to_path(error.message), to_path(error.file), error.system);
}

void raise_error(const Error& error, nb::handle cause) {
  const nb::object exception = exception_of(error);
  if (cause.is_valid()) PyException_SetCause(exception.ptr(), cause.inc_ref().ptr());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  throw nb::python_error();
}

nb::str to_path(std::string_view name) {
  PyObject* text = PyUnicode_DecodeFSDefaultAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
  if (text == nullptr) throw nb::python_error();
  return nb::steal<nb::str>(text);
}

namespace {

nb::object parse_tag(std::string_view text) {
  const auto tag = dicom::parse_tag(text);
  return tag ? nb::object(nb::int_(*tag)) : nb::none();
}

std::string keyword(std::uint32_t tag) {
  const auto* entry = dicom::find(tag);
  return entry == nullptr ? std::string() : std::string(entry->keyword);
}

}  // namespace
}  // namespace dicube::python

NB_MODULE(_core, m) {
  using namespace dicube::python;
  m.doc() = "The C++ core of dicube. Its names may change: use those of the package dicube.";
  m.attr("version") = DICUBE_VERSION;
  nb::set_leak_warnings(false);  // at exit, of what daemon threads still hold
  m.def("parse_tag", &parse_tag, nb::arg("text"), nb::sig("def parse_tag(text: str) -> int | None"),
        "The tag that a keyword or 'gggg,eeee' names; None when unknown.");
  m.def("suggested_keyword", &dicube::dicom::suggested_keyword, nb::arg("typed"),
        "'; did you mean PatientName?' for a mistyped keyword; '' when no keyword is near.");
  m.def("keyword", &keyword, nb::arg("tag"), "The keyword of a tag; '' when unknown.");
  m.def(
      "implicit_vr", [](std::uint32_t tag) { return std::string(dicube::dicom::implicit_vr(tag)); }, nb::arg("tag"));
  bind_column(m);
  bind_archive(m);
  bind_series(m);
  bind_gather(m);
  bind_instance(m);
  bind_check(m);
  bind_recode(m);
  bind_codec(m);
  bind_memory(m);
}
