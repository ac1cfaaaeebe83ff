#include "dicom/value.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <concepts>

#include "base/formatted.h"
#include "dicom/header.h"

namespace dicube::dicom {
namespace {

bool is_padding(char character) { return character == ' ' || character == '\0'; }

// A list of VRs is a text with a space around each.
bool contains(std::string_view list, std::string_view vr) {
  if (vr.size() != 2) return false;
  for (std::size_t i = 1; i + 2 < list.size(); i += 3)
    if (list.substr(i, 2) == vr) return true;
  return false;
}

// In the VRs of long texts a backslash is a character like any other (PS3.5 6.2).
bool is_single_valued(std::string_view vr) { return contains(" LT ST UR UT ", vr); }

std::string_view without_trailing_padding(std::string_view text) {
  while (!text.empty() && is_padding(text.back())) text.remove_suffix(1);
  return text;
}

template <class Function>
void for_each_value(std::string_view text, Function function) {
  for (;;) {
    const std::size_t end = text.find('\\');
    function(text.substr(0, end));
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string> decode_text(ByteSpan value, std::string_view vr, const CharacterSet& charset) {
  std::vector<std::string> values;
  if (value.empty()) return values;
  // Split when decoded: 0x5C is half of a character in some sets.
  const std::string text = charset.to_utf8(value, vr);
  if (is_single_valued(vr)) {
    values.emplace_back(without_trailing_padding(text));
  } else {
    for_each_value(text, [&](std::string_view one) { values.emplace_back(without_trailing_padding(one)); });
  }
  return values;
}

// Each value of `value`, read as T, by `convert`; Bytes when the length isn't a multiple of the size.
template <std::unsigned_integral T, class Function>
Values decode_binary(ByteSpan value, Encoding encoding, Function convert) {
  if (value.size() % sizeof(T) != 0) return Bytes(value.begin(), value.end());
  std::vector<decltype(convert(T{}))> values;
  values.reserve(value.size() / sizeof(T));
  for (std::size_t at = 0; at < value.size(); at += sizeof(T))
    values.push_back(convert(load<T>(value.data() + at, encoding)));
  return values;
}

template <std::signed_integral T>
Values decode_integers(ByteSpan value, Encoding encoding, T) {
  using Unsigned = std::make_unsigned_t<T>;
  return decode_binary<Unsigned>(value, encoding, [](Unsigned raw) { return std::int64_t{static_cast<T>(raw)}; });
}
template <std::unsigned_integral T>
Values decode_integers(ByteSpan value, Encoding encoding, T) {
  return decode_binary<T>(value, encoding, [](T raw) { return static_cast<std::int64_t>(raw); });
}

Values decode_uv(ByteSpan value, Encoding encoding) {
  Values values = decode_integers(value, encoding, std::uint64_t{});
  const auto* integers = std::get_if<std::vector<std::int64_t>>(&values);
  const bool fits = !integers || std::ranges::all_of(*integers, [](std::int64_t one) { return one >= 0; });
  if (fits) return values;
  return decode_binary<std::uint64_t>(value, encoding, [](std::uint64_t raw) { return std::to_string(raw); });
}

Values decode_tags(ByteSpan value, Encoding encoding) {
  if (value.size() % 4 != 0) return Bytes(value.begin(), value.end());
  std::vector<std::string> tags;
  for (std::size_t at = 0; at < value.size(); at += 4)
    tags.push_back(formatted("{:04X}{:04X}", load<std::uint16_t>(value.data() + at, encoding),
                             load<std::uint16_t>(value.data() + at + 2, encoding)));
  return tags;
}

// A whole IS or DS value, spaces around it removed.
std::optional<double> parse_decimal(std::string_view text) {
  text = trimmed(as_bytes(text));
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  // from_chars would take "inf" and "nan", too.
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  if (sign < text.size() && text[sign] > '9') return std::nullopt;
  double number = 0;
  const char* end = text.data() + text.size();
  auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

std::size_t binary_size(std::string_view vr) {
  if (contains(" US SS ", vr)) return 2;
  if (contains(" UL SL FL ", vr)) return 4;
  if (contains(" UV SV FD ", vr)) return 8;
  return 0;
}

// REQUIRES: binary_size(vr) bytes at `from`.
double load_number(const std::byte* from, std::string_view vr, Encoding encoding) {
  if (vr == "US") return load<std::uint16_t>(from, encoding);
  if (vr == "SS") return static_cast<std::int16_t>(load<std::uint16_t>(from, encoding));
  if (vr == "UL") return load<std::uint32_t>(from, encoding);
  if (vr == "SL") return static_cast<std::int32_t>(load<std::uint32_t>(from, encoding));
  if (vr == "FL") return double{std::bit_cast<float>(load<std::uint32_t>(from, encoding))};
  const auto raw = load<std::uint64_t>(from, encoding);
  if (vr == "UV") return static_cast<double>(raw);
  if (vr == "SV") return static_cast<double>(static_cast<std::int64_t>(raw));
  return std::bit_cast<double>(raw);
}

}  // namespace

std::string_view trimmed(ByteSpan value) {
  std::string_view text = without_trailing_padding(as_text(value));
  while (!text.empty() && is_padding(text.front())) text.remove_prefix(1);
  return text;
}

bool is_text(std::string_view vr) { return contains(" AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT ", vr); }

bool is_bytes(std::string_view vr) { return contains(" OB OD OF OL OV OW UN ", vr); }

bool is_affected_by_charset(std::string_view vr) { return contains(" SH LO ST LT PN UC UT ", vr); }

Values decode(ByteSpan value, std::string_view vr, Encoding encoding, const CharacterSet& charset) {
  if (is_text(vr)) return decode_text(value, vr, charset);
  if (vr == "AT") return decode_tags(value, encoding);
  if (vr == "US") return decode_integers(value, encoding, std::uint16_t{});
  if (vr == "SS") return decode_integers(value, encoding, std::int16_t{});
  if (vr == "UL") return decode_integers(value, encoding, std::uint32_t{});
  if (vr == "SL") return decode_integers(value, encoding, std::int32_t{});
  if (vr == "UV") return decode_uv(value, encoding);
  if (vr == "SV") return decode_integers(value, encoding, std::int64_t{});
  if (vr == "FL")
    return decode_binary<std::uint32_t>(value, encoding,
                                        [](std::uint32_t raw) { return double{std::bit_cast<float>(raw)}; });
  if (vr == "FD")
    return decode_binary<std::uint64_t>(value, encoding, [](std::uint64_t raw) { return std::bit_cast<double>(raw); });
  return Bytes(value.begin(), value.end());
}

std::optional<double> first_number(ByteSpan value, std::string_view vr, Encoding encoding) {
  if (vr == "IS" || vr == "DS") return parse_decimal(as_text(value).substr(0, as_text(value).find('\\')));
  const std::size_t size = binary_size(vr);
  if (size == 0 || value.size() < size) return std::nullopt;
  return load_number(value.data(), vr, encoding);
}

std::vector<double> numbers(ByteSpan value, std::string_view vr, Encoding encoding) {
  std::vector<double> all;
  if (vr == "IS" || vr == "DS") {
    bool valid = true;
    all.reserve(1 + static_cast<std::size_t>(std::ranges::count(as_text(value), '\\')));
    for_each_value(as_text(value), [&](std::string_view one) {
      const auto number = parse_decimal(one);
      valid = valid && number.has_value();
      all.push_back(number.value_or(0));
    });
    if (!valid) all.clear();
    return all;
  }
  const std::size_t size = binary_size(vr);
  if (size == 0 || value.size() % size != 0) return all;
  for (std::size_t at = 0; at < value.size(); at += size) all.push_back(load_number(value.data() + at, vr, encoding));
  return all;
}

std::optional<std::string> joined(const Values& values, std::string_view vr, std::string_view separator,
                                  std::size_t most) {
  std::string text;
  const auto join = [&](const auto& list, auto print) {
    for (std::size_t i = 0; i < std::min(most, list.size()); ++i) (text += i > 0 ? separator : "") += print(list[i]);
  };
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values))
    join(*texts, [](const std::string& value) { return value; });
  else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&values))
    join(*integers, [](std::int64_t value) { return formatted("{}", value); });
  else if (const auto* reals = std::get_if<std::vector<double>>(&values))
    join(*reals, [&](double value) {
      return vr == "FL" ? formatted("{}", static_cast<float>(value)) : formatted("{}", value);
    });
  else
    return std::nullopt;
  return text;
}

}  // namespace dicube::dicom
