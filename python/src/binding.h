// What the files of the extension module share.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <ranges>
#include <thread>

#include "base/bytes.h"
#include "dicom/value.h"
#include "dicube/dicube.h"
#include "gil.h"

namespace dicube::python {

namespace nb = nanobind;

// The class of dicube.exceptions that fits, made and raised; `cause`: its __cause__, if it has one. REQUIRES for both:
// the GIL is held.
nb::object exception_of(const Error& error);
[[noreturn]] void raise_error(const Error& error, nb::handle cause = {});

template <class T>
T value_or_raise(Result<T> result) {
  if (!result) raise_error(result.error());
  return *std::move(result);
}
inline void check(const Status& status) {
  if (!status) raise_error(status.error());
}

// What `work` gives, which takes its time: the GIL is let go meanwhile.
template <class Work>
auto without_gil(Work work) {
  const Released released;
  return work();
}

// Valid as long as the object.
inline ByteSpan span_of(const nb::bytes& bytes) { return {static_cast<const std::byte*>(bytes.data()), bytes.size()}; }
inline nb::bytes to_bytes(ByteSpan bytes) { return nb::bytes(bytes.data(), bytes.size()); }

// A text that may hold bytes no encoding explains: file names, as Python's os.fsdecode does.
nb::str to_path(std::string_view name);

// A text out of a file, which should be UTF-8; what is not becomes U+FFFD.
nb::str to_text(std::string_view text);

// A file's name as the system has it, of the str that stands for it: os.fsencode().
struct Path {
  std::string name;
};
inline std::vector<std::string> names_of(const std::vector<Path>& paths) {
  std::vector<std::string> names;
  for (const Path& path : paths) names.push_back(path.name);
  return names;
}

// What `make` makes of each value, in a list, which is made as long at once.
template <class Values, class Make>
nb::list list_of(const Values& values, const Make& make) {
  auto list = nb::steal<nb::list>(PyList_New(static_cast<Py_ssize_t>(std::ranges::size(values))));
  if (!list.is_valid()) throw nb::python_error();
  Py_ssize_t place = 0;
  for (const auto& value : values) PyList_SetItem(list.ptr(), place++, nb::object(make(value)).release().ptr());
  return list;
}

// An element's value as plain Python: str, int, float, bytes, or a list of them; None for an empty value.
nb::object to_python(const dicom::Values& values, std::string_view vr);
// Of a text VR, as UTF-8.
nb::object text_to_python(std::string_view text, std::string_view vr);

// (code, severity, message, numbers of slices) each.
nb::list findings_to_python(const std::vector<Finding>& findings);

// What the Python code raised by which an archive reads, until the call ends that reads. REQUIRES of all: the GIL is
// held.
class Raised {
 public:
  // While it lives, this thread is in a call that reads: what is raised in it is this call's, and what is raised in
  // threads that are in none, which work for one, is that of the call that ends next.
  class Call {
   public:
    Call();
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
  };

  void keep(nb::object exception);
  // Raises what is no Exception (KeyboardInterrupt, SystemExit) as it is, another one as the cause of `error`, if there
  // is one. REQUIRES: this thread is in a call.
  void raise_again(const Error* error);

 private:
  std::vector<std::pair<std::thread::id, nb::object>> kept_;
};

// An archive and what it reads from.
struct OpenArchive {
  nb::object buffer;  // what it reads from: bytes, or a callable; None for a file
  Archive archive;
  std::unique_ptr<Raised> raised = {};  // of the callable
};

// What `work` gives, which reads an archive, without the GIL. `raised`: what keeps exceptions of its reads, or null.
template <class Work>
auto reading(Raised* raised, const Work& work) {
  const Raised::Call call;
  auto result = without_gil(work);
  if (raised != nullptr) raised->raise_again(result ? nullptr : &result.error());
  return result;
}
template <class Work>
auto reading(const OpenArchive& open, const Work& work) {
  return reading(open.raised.get(), work);
}

// IndexError for a number beyond the last.
inline void check_frame(const OpenArchive& open, std::size_t frame) {
  if (frame >= open.archive.frame_count()) throw nb::index_error("no such frame");
}
inline void check_instance(const OpenArchive& open, std::size_t instance) {
  if (instance >= open.archive.instances().size()) throw nb::index_error("no such instance");
}

void bind_archive(nb::module_& m);
void bind_column(nb::module_& m);
void bind_series(nb::module_& m);
void bind_gather(nb::module_& m);
void bind_instance(nb::module_& m);
void bind_check(nb::module_& m);
void bind_recode(nb::module_& m);
void bind_codec(nb::module_& m);
void bind_memory(nb::module_& m);

}  // namespace dicube::python

template <>
struct nanobind::detail::type_caster<dicube::python::Path> {
  NB_TYPE_CASTER(dicube::python::Path, const_name("str"))

  bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
    if (!PyUnicode_Check(source.ptr())) return false;
    const object bytes = steal(PyUnicode_EncodeFSDefault(source.ptr()));
    char* data = nullptr;
    Py_ssize_t size = 0;
    if (!bytes.is_valid() || PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) {
      PyErr_Clear();
      return false;
    }
    value.name.assign(data, static_cast<std::size_t>(size));
    return true;
  }

  static handle from_cpp(const dicube::python::Path& path, rv_policy, cleanup_list*) noexcept {
    return PyUnicode_DecodeFSDefaultAndSize(path.name.data(), static_cast<Py_ssize_t>(path.name.size()));
  }
};
