#include "archive/dicom_json.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "archive/element_value.h"
#include "base/bytes.h"
#include "dicom/converted_form.h"
#include "dicom/tags.h"
#include "dicom/value.h"

namespace dicube::archive {
namespace {

using Json = nlohmann::ordered_json;

std::string base64(ByteSpan bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? std::to_integer<unsigned>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) out += i <= count ? kLetters[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

// As it stands in the file it may be anything.
std::string plain_vr(const std::string& vr) {
  const bool plain = vr.size() == 2 && std::ranges::all_of(vr, [](char c) { return c >= 'A' && c <= 'Z'; });
  return plain ? vr : "UN";
}

Json person_name(const std::string& text) {
  static constexpr const char* kGroups[] = {"Alphabetic", "Ideographic", "Phonetic"};
  Json name = Json::object();
  std::size_t at = 0;
  for (const char* group : kGroups) {
    const auto end = std::min(text.find('=', at), text.size());
    if (end > at) name[group] = text.substr(at, end - at);
    at = std::min(text.size(), end + 1);
  }
  return name;
}

// That a double tells from its neighbours.
bool is_integer(double number) { return std::abs(number) < 9e15 && std::trunc(number) == number; }

// F.2.3: IS and DS are numbers where they are; what is no number stays a string.
Json text_value(const std::string& text, std::string_view vr) {
  if (text.empty()) return nullptr;
  if (vr == "PN") return person_name(text);
  if (vr == "UV") return Json(std::strtoull(text.c_str(), nullptr, 10));  // made of the value's 64 bits
  if (vr == "IS" || vr == "DS") {
    const auto number = dicom::first_number(std::as_bytes(std::span(text)), vr, dicom::Encoding::kExplicitLittle);
    if (number && std::isfinite(*number))
      return vr == "IS" && is_integer(*number) ? Json(static_cast<std::int64_t>(*number)) : Json(*number);
  }
  return text;
}

Json element_json(const Element& element, dicom::Encoding encoding, const dicom::CharacterSet& charset);

Json items_json(const std::vector<Element>& elements, dicom::Encoding encoding, const dicom::CharacterSet& inherited) {
  Json out = Json::object();
  auto& members = out.get_ref<Json::object_t&>();
  std::map<std::uint32_t, std::size_t> places;  // looking a member up in the object goes through all of them
  const dicom::CharacterSet charset = charset_of(elements, inherited);
  for (const Element& element : elements) {
    if ((element.tag & 0xFFFF) == 0 || dicom::is_item_or_delimitation(element.tag)) continue;
    Json value = element_json(element, encoding, charset);
    const auto [place, is_new] = places.try_emplace(element.tag, members.size());
    if (is_new)
      members.emplace_back(formatted("{:08X}", element.tag), std::move(value));
    else
      (members.begin() + static_cast<std::ptrdiff_t>(place->second))->second = std::move(value);
  }
  return out;
}

Json element_json(const Element& element, dicom::Encoding encoding, const dicom::CharacterSet& charset) {
  Json out = {{"vr", plain_vr(element.vr)}};
  if (element.is_sequence) {
    for (const auto& item : element.items) out["Value"].push_back(items_json(item, encoding, charset));
    return out;
  }
  // F.2.2: somewhere else, in the original file; nothing at all would say that it is empty (F.2.5).
  if (element.is_pixels || element.left_out > 0) out["BulkDataURI"] = "";
  if (element.is_pixels || element.value.empty()) return out;
  const auto values = dicom::decode(element.value, element.vr, encoding, charset);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values)) {
    if (texts->size() == 1 && texts->front().empty()) return out;  // padding alone
    for (const std::string& text : *texts) out["Value"].push_back(text_value(text, element.vr));
  }
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&values))
    for (std::int64_t value : *integers) out["Value"].push_back(value);
  else if (const auto* reals = std::get_if<std::vector<double>>(&values))
    for (double value : *reals)
      out["Value"].push_back(std::isfinite(value) ? Json(value) : Json(formatted("{}", value)));
  else if (std::holds_alternative<Bytes>(values)) {
    if (!dicom::is_bytes(element.vr)) out["vr"] = "UN";  // F.2.2: no other has InlineBinary
    out["InlineBinary"] = inline_binary(element.value, out["vr"].get<std::string>(), encoding);
  }
  return out;
}

}  // namespace

std::string inline_binary(ByteSpan value, std::string_view vr, dicom::Encoding encoding) {
  if (encoding != dicom::Encoding::kExplicitBig || vr.size() != 2) return base64(value);
  Bytes little(value.begin(), value.end());
  dicom::swap_numbers({vr[0], vr[1]}, little);
  return base64(little);
}

Json dicom_json(const DataSet& data_set) {
  return items_json(data_set.elements, static_cast<dicom::Encoding>(data_set.encoding),
                    dicom::CharacterSet(data_set.charset));
}

}  // namespace dicube::archive
