// Exceptions of the Python code that archives are read by.
#include <algorithm>
#include <iterator>

#include "binding.h"

namespace dicube::python {
namespace {

thread_local unsigned calls = 0;  // of this thread that read an archive

// Whether it is there to end what runs, not to be handled.
bool ends_all(nb::handle exception) { return PyErr_GivenExceptionMatches(exception.ptr(), PyExc_Exception) == 0; }

}  // namespace

Raised::Call::Call() { ++calls; }
Raised::Call::~Call() { --calls; }

void Raised::keep(nb::object exception) {
  kept_.emplace_back(calls > 0 ? std::this_thread::get_id() : std::thread::id(), std::move(exception));
}

void Raised::raise_again(const Error* error) {
  const auto others = std::partition(kept_.begin(), kept_.end(), [](const auto& kept) {
    return kept.first == std::this_thread::get_id() || kept.first == std::thread::id();
  });
  const std::vector own(std::make_move_iterator(kept_.begin()), std::make_move_iterator(others));
  kept_.erase(kept_.begin(), others);
  if (own.empty()) return;
  const auto end = std::ranges::find_if(own, [](const auto& kept) { return ends_all(kept.second); });
  if (end != own.end()) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(end->second.ptr())), end->second.ptr());
    throw nb::python_error();
  }
  if (error != nullptr) raise_error(*error, own.front().second);
}

}  // namespace dicube::python
