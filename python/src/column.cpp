#include "binding.h"

namespace dicube::python {
namespace {

bool is_integer(std::string_view vr) { return vr == "US" || vr == "SS" || vr == "UL" || vr == "SL"; }

// Text that no character set changes is read where it stands; nullopt when it is not plain.
std::optional<std::string_view> plain_text(const Column& column, std::size_t i) {
  const std::string_view vr = column.vr(i);
  if (!dicom::is_text(vr) || dicom::is_affected_by_charset(vr) || vr == "UR") return std::nullopt;
  std::string_view text = as_text(column.bytes(i));
  const auto last = text.find_last_not_of(std::string_view(" \0", 2));
  text = last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
  for (const char c : text)
    if (c < ' ' || c == 127) return std::nullopt;
  return text;
}

nb::object column_value(const Column& column, std::size_t i) {
  if (!column.is_present(i) || column.bytes(i).empty()) return nb::none();
  const std::string_view vr = column.vr(i);
  if (const auto text = plain_text(column, i)) return text_to_python(*text, vr);
  if (is_integer(vr) || vr == "FD" || vr == "FL" || vr == "OF" || vr == "OD") {
    const std::vector<double> numbers = column.numbers(i);
    const auto make = [&](double number) -> nb::object {
      if (is_integer(vr)) return nb::int_(static_cast<std::int64_t>(number));
      return nb::float_(number);
    };
    if (numbers.size() == 1) return make(numbers[0]);
    if (!numbers.empty()) return list_of(numbers, make);
  } else if (const auto text = column.text(i)) {
    return text_to_python(*text, vr);
  }
  return to_bytes(column.bytes(i));
}

nb::list column_values(const Column& column) {
  const std::ranges::iota_view instances(std::size_t{0}, column.size());
  if (column.is_constant() && column.size() > 0)
    return list_of(instances, [value = column_value(column, 0)](std::size_t) { return value; });
  return list_of(instances, [&](std::size_t i) { return column_value(column, i); });
}

void check_index(const Column& column, std::size_t i) {
  if (i >= column.size()) throw nb::index_error("no such instance");
}

}  // namespace

void bind_column(nb::module_& m) {
  nb::class_<Column>(m, "Column", "The values of one element, for every instance.")
      .def_prop_ro("tag", &Column::tag)
      .def_prop_ro("vr", [](const Column& c) { return to_text(c.vr()); })
      .def_prop_ro("is_constant", &Column::is_constant)
      .def("__len__", &Column::size)
      .def("values", &column_values, "One value per instance; None where the element is absent or empty.")
      .def(
          "value",
          [](const Column& c, std::size_t i) {
            check_index(c, i);
            return column_value(c, i);
          },
          nb::arg("instance"))
      .def(
          "is_present",
          [](const Column& c, std::size_t i) {
            check_index(c, i);
            return c.is_present(i);
          },
          nb::arg("instance"))
      .def(
          "text",
          [](const Column& c, std::size_t i) -> nb::object {
            check_index(c, i);
            const auto text = c.text(i);
            return text ? nb::object(to_text(*text)) : nb::none();
          },
          nb::arg("instance"))
      .def(
          "raw",
          [](const Column& c, std::size_t i) {
            check_index(c, i);
            return to_bytes(c.bytes(i));
          },
          nb::arg("instance"));
}

}  // namespace dicube::python
