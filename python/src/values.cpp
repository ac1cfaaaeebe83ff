// Element values as plain Python objects.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "binding.h"

namespace dicube::python {
namespace {

bool is_single_text(std::string_view vr) { return vr == "ST" || vr == "LT" || vr == "UT" || vr == "UR"; }

std::string_view stripped(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// IS and DS (PS3.5 6.2): what is no number stays text.
nb::object make_number(std::string_view text, bool integer) {
  text = stripped(text);
  if (text.empty()) return nb::none();
  const char* const begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* const end = text.data() + text.size();
  if (integer) {
    std::int64_t number = 0;
    const auto read = std::from_chars(begin, end, number);
    if (read.ec == std::errc() && read.ptr == end) return nb::int_(number);
  }
  double number = 0;
  const auto read = std::from_chars(begin, end, number);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(number)) return to_text(text);
  if (integer && std::floor(number) == number && std::abs(number) < 1e15)
    return nb::int_(static_cast<std::int64_t>(number));
  return nb::float_(number);
}

// SV and UV, whose range no C++ type has.
nb::object make_long(std::string_view text) {
  const std::string terminated(text);
  PyObject* made = PyLong_FromString(terminated.c_str(), nullptr, 10);
  if (made == nullptr) throw nb::python_error();
  return nb::steal(made);
}

template <class Values, class Make>
nb::object one_or_list(const Values& values, Make make) {
  if (values.empty()) return nb::none();
  if (values.size() == 1) return make(values[0]);
  return list_of(values, make);
}

nb::object texts_to_python(const std::vector<std::string_view>& texts, std::string_view vr) {
  if (vr == "IS" || vr == "DS")
    return one_or_list(texts, [&](std::string_view text) { return make_number(text, vr == "IS"); });
  if (texts.size() == 1 && texts[0].empty()) return nb::none();
  if (vr == "SV" || vr == "UV") return one_or_list(texts, make_long);
  return one_or_list(texts, to_text);
}

}  // namespace

nb::str to_text(std::string_view text) {
  PyObject* made = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (made == nullptr) throw nb::python_error();
  return nb::steal<nb::str>(made);
}

nb::object text_to_python(std::string_view text, std::string_view vr) {
  if (text.find('\\') == std::string_view::npos) {
    if (vr == "IS" || vr == "DS") return make_number(text, vr == "IS");
    if (vr == "UI" || vr == "CS") return text.empty() ? nb::none() : nb::object(to_text(text));
  }
  if (is_single_text(vr)) return texts_to_python({text}, vr);
  std::vector<std::string_view> parts;
  parts.reserve(1 + static_cast<std::size_t>(std::ranges::count(text, '\\')));
  for (;;) {
    const auto end = text.find('\\');
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return texts_to_python(parts, vr);
    text = text.substr(end + 1);
  }
}

nb::object to_python(const dicom::Values& values, std::string_view vr) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values))
    return texts_to_python({texts->begin(), texts->end()}, vr);
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&values))
    return one_or_list(*integers, [](std::int64_t value) -> nb::object { return nb::int_(value); });
  if (const auto* reals = std::get_if<std::vector<double>>(&values))
    return one_or_list(*reals, [](double value) -> nb::object { return nb::float_(value); });
  const Bytes& bytes = std::get<Bytes>(values);
  return bytes.empty() ? nb::none() : nb::object(to_bytes(bytes));
}

}  // namespace dicube::python
