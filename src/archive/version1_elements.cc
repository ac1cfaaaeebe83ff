#include "archive/version1_elements.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "base/result.h"
#include "dicom/dictionary.h"
#include "dicom/element_writer.h"
#include "dicom/tags.h"
#include "dicom/value.h"

namespace dicube::archive::version1 {
namespace {

using dicom::Tag;

Bytes from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Bytes out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) continue;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if ((count += 6) >= 8) out.push_back(static_cast<std::byte>(bits >> (count -= 8)));
  }
  return out;
}

std::string person_name(const Json& value) {
  std::string text;
  for (const char* part : {"Alphabetic", "Ideographic", "Phonetic"}) {
    if (part[0] != 'A') text += '=';
    if (const auto found = value.find(part); found != value.end() && found->is_string())
      text += found->get<std::string>();
  }
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

// Conversions of numbers that T does not hold are undefined.
template <class T>
T nearest(double number) {
  const auto least = static_cast<double>(std::numeric_limits<T>::lowest()),
             most = static_cast<double>(std::numeric_limits<T>::max());
  if (!(number > least)) return std::isnan(number) ? T() : std::numeric_limits<T>::lowest();
  return number < most ? static_cast<T>(number) : std::numeric_limits<T>::max();
}

template <class T>
void put_number(Bytes& out, const Json& value) {
  std::byte raw[sizeof(T)];
  T number = T();
  if (value.is_number_integer() && std::is_integral_v<T>)
    number = static_cast<T>(value.get<std::int64_t>());
  else if (value.is_number())
    number = nearest<T>(value.get<double>());
  std::memcpy(raw, &number, sizeof number);
  append(out, raw);
}

// One value of a binary VR; false for a VR of text.
bool put_binary(Bytes& out, std::string_view vr, const Json& value) {
  if (vr == "US")
    put_number<std::uint16_t>(out, value);
  else if (vr == "SS")
    put_number<std::int16_t>(out, value);
  else if (vr == "UL")
    put_number<std::uint32_t>(out, value);
  else if (vr == "SL")
    put_number<std::int32_t>(out, value);
  else if (vr == "UV")
    put_number<std::uint64_t>(out, value);
  else if (vr == "SV")
    put_number<std::int64_t>(out, value);
  else if (vr == "FL")
    put_number<float>(out, value);
  else if (vr == "FD")
    put_number<double>(out, value);
  else if (vr == "AT") {
    const Tag tag = value.is_string() ? dicom::parse_tag(value.get<std::string>()).value_or(0) : 0;
    put_number<std::uint16_t>(out, tag >> 16);
    put_number<std::uint16_t>(out, tag & 0xFFFF);
  } else
    return false;
  return true;
}

Bytes encode_values(std::string_view vr, const Json& values) {
  Bytes out;
  if (values.is_null()) return out;
  const Json list = values.is_array() ? values : Json::array({values});
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (put_binary(out, vr, list[i])) continue;
    if (i > 0) text += '\\';
    if (list[i].is_string())
      text += list[i].get<std::string>();
    else if (list[i].is_object())
      text += person_name(list[i]);
    else if (list[i].is_number())
      text += decimal(list[i]);
  }
  append(out, as_bytes(text));
  return out;
}

// The VR that an entry of the merged metadata states, else the dictionary's.
std::string vr_of(const Json& entry, Tag tag) {
  const auto stated = entry.find("vr");
  return stated != entry.end() && stated->is_string() ? stated->get<std::string>()
                                                      : std::string(dicom::implicit_vr(tag));
}

// What an entry has for a value, null when it has none. A string may be its bytes in base64.
struct Given {
  const Json* values;
  bool may_be_base64;
};

const Json& nothing() {
  static const Json null;
  return null;
}

Given given(const Json& entry, std::string_view vr) {
  for (const char* name : {"Value", "InlineBinary", "null"})
    if (const auto found = entry.find(name); found != entry.end())
      return {&*found, name[0] == 'I' || vr[0] == 'O' || vr == "UN"};
  return {&nothing(), false};
}

Result<Elements> elements_at(const Json& merged, std::size_t slice, std::size_t depth);

Result<Bytes> sequence_of(Tag tag, const Json& values, std::size_t slice, std::size_t depth) {
  std::vector<Bytes> items;
  for (const Json& item : values.is_array() ? values : nothing()) {
    if (!item.is_object()) continue;
    DICUBE_ASSIGN(const auto inside, elements_at(item, slice, depth + 1));
    Bytes& bytes = items.emplace_back();
    for (const auto& [inner, whole] : inside) append(bytes, whole);
  }
  Bytes element;
  dicom::put_sequence(element, tag, items);
  return element;
}

Result<Bytes> element_of(std::string_view key, const Json& entry, Tag tag, std::string_view vr, std::size_t slice) {
  auto [values, may_be_base64] = given(entry, vr);
  const auto shared = entry.find("shared");
  if (shared != entry.end() && shared->is_boolean() && !shared->get<bool>()) {
    if (!values->is_array() || slice >= values->size())
      return fail(ErrorClass::kDamaged, "metadata: {} has {} values, slice {} needs one", key, values->size(), slice);
    values = &(*values)[slice];
  }
  Bytes element;
  dicom::put_element(
      element, tag, vr,
      may_be_base64 && values->is_string() ? from_base64(values->get<std::string>()) : encode_values(vr, *values));
  return element;
}

Result<Elements> elements_at(const Json& merged, std::size_t slice, std::size_t depth) {
  if (depth > kMostDepth) return fail(ErrorClass::kLimit, "metadata nested deeper than {}", kMostDepth);
  Elements elements;
  for (const auto& [key, entry] : merged.items()) {
    const auto tag = dicom::parse_tag(key);
    if (!tag || !entry.is_object() || (*tag & 0xFFFF) == 0 || *tag >> 16 <= 2)
      continue;  // group lengths and the meta group are made anew
    const std::string vr = vr_of(entry, *tag);
    if (vr.size() != 2) continue;
    DICUBE_ASSIGN(elements[*tag], vr == "SQ" ? sequence_of(*tag, *given(entry, vr).values, slice, depth)
                                             : element_of(key, entry, *tag, vr, slice));
  }
  return elements;
}

std::string numbers(std::initializer_list<double> values) {
  std::string text;
  for (const double value : values) text += (text.empty() ? "" : "\\") + decimal(Json(value));
  return text;
}

}  // namespace

Result<Elements> elements_of(const Json& merged, std::size_t slice) { return elements_at(merged, slice, 0); }

std::string decimal(const Json& value) {
  if (value.is_number_integer()) return value.dump();
  const double number = value.get<double>();
  std::string text = formatted("{}", number);
  for (int digits = 16; text.size() > 16 && digits > 0; --digits) text = formatted("{:.{}g}", number, digits);
  return text;
}

void set(Elements& elements, Tag tag, std::string_view vr, std::string_view text) {
  Bytes element;
  dicom::put_element(element, tag, vr, as_bytes(text));
  elements[tag] = std::move(element);
}

void set(Elements& elements, Tag tag, std::uint16_t value) {
  Bytes element;
  dicom::put_element(element, tag, "US", value);
  elements[tag] = std::move(element);
}

std::string text_of(const Elements& elements, Tag tag) {
  const auto found = elements.find(tag);
  if (found == elements.end() || found->second.size() < 8) return {};
  std::string text(as_text(ByteSpan(found->second).subspan(8)));
  text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
  return text;
}

void add_space(const Json& space, std::size_t slice, Elements& elements) {
  const auto triple = [&](const char* name) -> std::optional<std::array<double, 3>> {
    const auto found = space.find(name);
    if (found == space.end() || !found->is_array() || found->size() != 3) return std::nullopt;
    std::array<double, 3> out{};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!(*found)[i].is_number()) return std::nullopt;
      out[i] = (*found)[i].get<double>();
    }
    return out;
  };
  const auto origin = triple("origin"), spacing = triple("spacing"), x = triple("x_orientation"),
             y = triple("y_orientation"), z = triple("z_orientation");
  if (!origin || !spacing || !x || !y || !z) return;
  const double along = static_cast<double>(slice) * (*spacing)[2];
  if (!elements.contains(dicom::kImagePosition))
    set(elements, dicom::kImagePosition, "DS",
        numbers({(*origin)[0] + along * (*z)[0], (*origin)[1] + along * (*z)[1], (*origin)[2] + along * (*z)[2]}));
  if (!elements.contains(dicom::kImageOrientation))
    set(elements, dicom::kImageOrientation, "DS", numbers({(*x)[0], (*x)[1], (*x)[2], (*y)[0], (*y)[1], (*y)[2]}));
  if (!elements.contains(dicom::kPixelSpacing))
    set(elements, dicom::kPixelSpacing, "DS", numbers({(*spacing)[1], (*spacing)[0]}));
  if (!elements.contains(dicom::kSliceThickness)) set(elements, dicom::kSliceThickness, "DS", numbers({(*spacing)[2]}));
}

}  // namespace dicube::archive::version1
