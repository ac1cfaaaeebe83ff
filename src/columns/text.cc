// Encoding:
//  1. strip the padding to even length, where every value has it by rule;
//  2. cut the first value into literals and numbers; every other value must have the same literals;
//  3. for every number position find a format that prints all its numbers again exactly;
//  4. store the integers behind the numbers as integer lists.
#include "columns/text.h"

#include <algorithm>
#include <charconv>

#include "columns/integers.h"

namespace dicube::columns {
namespace {

// ON DISK: DO NOT CHANGE.
enum class Padding : std::uint8_t { kNone = 0, kSpace = 1, kNul = 2 };
enum class Format : std::uint8_t {
  kInteger = 0,   // no leading zeros
  kPadded = 1,    // `digits` digits with leading zeros
  kTrimmed = 2,   // value / 10^digits, no trailing zeros, no point when whole
  kFixed = 3,     // value / 10^digits, all decimals
  kTrimmed1 = 4,  // as kTrimmed, with at least one decimal
  kWide = 5,      // up to 36 digits: two integer lists, value = high * 10^18 + low
};

constexpr std::size_t kMaxDigits = 18;
constexpr std::size_t kMaxFields = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char pad_character(Padding padding) { return padding == Padding::kSpace ? ' ' : '\0'; }

// The value without its padding; nullopt when its length or last character breaks the rule.
std::optional<std::string_view> strip(std::string_view value, Padding padding) {
  if (padding == Padding::kNone) return value;
  if (value.size() % 2 != 0) return std::nullopt;
  if (!value.empty() && value.back() == pad_character(padding)) value.remove_suffix(1);
  return value;
}

std::optional<std::vector<std::string_view>> strip_all(const ValueList& values, Padding padding) {
  std::vector<std::string_view> out;
  out.reserve(values.size());
  for (std::size_t row = 0; row < values.size(); ++row) {
    auto stripped = strip(as_text(values[row]), padding);
    if (!stripped) return std::nullopt;
    out.push_back(*stripped);
  }
  return out;
}

// Whether a number starts at `at`.
bool starts_number(std::string_view text, std::size_t at, NumberStyle style) {
  if (is_digit(text[at])) return true;
  return style == NumberStyle::kDecimals && text[at] == '-' && at + 1 < text.size() && is_digit(text[at + 1]) &&
         (at == 0 || !is_digit(text[at - 1]));
}

std::size_t end_of_number(std::string_view text, std::size_t at, NumberStyle style) {
  auto skip_digits = [&] {
    while (at < text.size() && is_digit(text[at])) ++at;
  };
  if (text[at] == '-') ++at;
  skip_digits();
  if (style == NumberStyle::kDecimals && at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
    ++at;
    skip_digits();
  }
  return at;
}

struct Cut {
  std::vector<std::string_view> literals;  // one more than numbers
  std::vector<std::string_view> numbers;
};

Cut cut(std::string_view text, NumberStyle style) {
  Cut result;
  std::size_t literal = 0, at = 0;
  while (at < text.size()) {
    if (!starts_number(text, at, style)) {
      ++at;
      continue;
    }
    result.literals.push_back(text.substr(literal, at - literal));
    const std::size_t end = end_of_number(text, at, style);
    result.numbers.push_back(text.substr(at, end - at));
    literal = at = end;
  }
  result.literals.push_back(text.substr(literal));
  return result;
}

void print(std::int64_t value, Format format, unsigned digits, std::string& out) {
  char buffer[64];  // a sign, 20 digits or kMaxDigits and one, a point
  static_assert(sizeof buffer > kMaxDigits + 24);
  char* const zeros = buffer + 1;
  std::fill_n(zeros, kMaxDigits, '0');
  auto magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) magnitude = ~magnitude + 1;
  char* const first = zeros + kMaxDigits;
  char* end = std::to_chars(first, buffer + sizeof buffer - 1, magnitude).ptr;
  const std::size_t least = format == Format::kInteger ? 1 : format == Format::kPadded ? digits : digits + 1;
  char* begin = std::min(first, end - least);
  if (format != Format::kInteger && format != Format::kPadded && digits > 0) {
    char* const point = end - digits;
    const std::size_t keep = format == Format::kFixed ? digits : format == Format::kTrimmed1 ? 1 : 0;
    while (end > point + keep && end[-1] == '0') --end;
    if (end > point) {
      std::move_backward(point, end, end + 1);
      *point = '.';
      ++end;
    }
  }
  if (value < 0) *--begin = '-';
  out.append(begin, end);
}

// The integer that prints as `text` in this format.
std::optional<std::int64_t> parse(std::string_view text, Format format, unsigned digits) {
  std::string plain;
  for (char c : text)
    if (c != '.') plain += c;
  const auto point = text.find('.');
  const std::size_t decimals = point == std::string_view::npos ? 0 : text.size() - point - 1;
  if (format == Format::kTrimmed || format == Format::kFixed || format == Format::kTrimmed1) {
    if (decimals > digits) return std::nullopt;
    plain.append(digits - decimals, '0');
  }
  if (plain.size() > kMaxDigits + (plain.starts_with('-') ? 1 : 0)) return std::nullopt;
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (error != std::errc() || end != plain.data() + plain.size()) return std::nullopt;
  std::string again;
  print(value, format, digits, again);
  if (again != text) return std::nullopt;
  return value;
}

using Field = std::vector<std::string_view>;  // one number position, all rows

bool put_field(const Field& field, Format format, unsigned digits, ByteWriter& out) {
  std::vector<std::int64_t> values;
  values.reserve(field.size());
  for (std::string_view text : field) {
    auto value = parse(text, format, digits);
    if (!value) return false;
    values.push_back(*value);
  }
  out.put(static_cast<std::uint8_t>(format));
  out.put_varint(digits);
  put_integers(values, out);
  return true;
}

bool put_wide_field(const Field& field, ByteWriter& out) {
  std::vector<std::int64_t> high, low;
  for (std::string_view text : field) {
    if (text.size() > 2 * kMaxDigits || text[0] == '-' || (text[0] == '0' && text.size() > 1) ||
        text.find('.') != std::string_view::npos)
      return false;
    const std::size_t split = text.size() > kMaxDigits ? text.size() - kMaxDigits : 0;
    std::int64_t parts[2] = {0, 0};
    std::from_chars(text.data(), text.data() + split, parts[0]);
    std::from_chars(text.data() + split, text.data() + text.size(), parts[1]);
    high.push_back(parts[0]);
    low.push_back(parts[1]);
  }
  out.put(static_cast<std::uint8_t>(Format::kWide));
  out.put_varint(0);
  put_integers(high, out);
  put_integers(low, out);
  return true;
}

bool put_any_field(const Field& field, ByteWriter& out) {
  std::size_t most_decimals = 0;
  for (std::string_view text : field) {
    const auto point = text.find('.');
    if (point != std::string_view::npos) most_decimals = std::max(most_decimals, text.size() - point - 1);
  }
  if (most_decimals > kMaxDigits) return false;
  const auto decimals = static_cast<unsigned>(most_decimals);
  if (decimals == 0)
    return put_field(field, Format::kInteger, 0, out) ||
           (field[0].size() <= kMaxDigits &&
            put_field(field, Format::kPadded, static_cast<unsigned>(field[0].size()), out)) ||
           put_wide_field(field, out);
  return put_field(field, Format::kFixed, decimals, out) || put_field(field, Format::kTrimmed, decimals, out) ||
         put_field(field, Format::kTrimmed1, decimals, out);
}

// Cuts all values alike; nullopt when their literals differ.
std::optional<std::vector<Field>> cut_all(const std::vector<std::string_view>& values, const Cut& first,
                                          NumberStyle style) {
  std::vector<Field> fields(first.numbers.size());
  for (std::string_view value : values) {
    const Cut other = cut(value, style);
    if (other.literals != first.literals) return std::nullopt;
    for (std::size_t i = 0; i < fields.size(); ++i) fields[i].push_back(other.numbers[i]);
  }
  return fields;
}

bool is_constant(const Field& field) {
  return std::all_of(field.begin(), field.end(), [&](std::string_view text) { return text == field[0]; });
}

// A number that never changes is a part of the literals around it, unless it is so long that it is shorter as a field.
bool is_literal(const Field& field) {
  constexpr std::size_t kShort = 9;  // digits that take no less as an integer with all that stands around it
  if (!is_constant(field)) return false;
  if (field[0].size() <= kShort) return true;
  ByteWriter number;
  return !put_any_field(field, number) || field[0].size() <= number.size() + 1;
}

// Literals and fields. nullopt where the fields are too many, none, or no numbers.
std::optional<Bytes> put_pattern(Padding padding, const Cut& first, const std::vector<Field>& fields) {
  std::vector<std::string> literals = {std::string(first.literals[0])};
  std::vector<const Field*> numbers;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (is_literal(fields[i])) {
      literals.back().append(fields[i][0]).append(first.literals[i + 1]);
      continue;
    }
    if (numbers.size() == kMaxFields) return std::nullopt;
    numbers.push_back(&fields[i]);
    literals.emplace_back(first.literals[i + 1]);
  }
  if (numbers.empty()) return std::nullopt;
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(padding));
  out.put_varint(numbers.size());
  for (const std::string& literal : literals) out.put_string(as_bytes(literal));
  for (const Field* number : numbers)
    if (!put_any_field(*number, out)) return std::nullopt;
  return out.take();
}

std::optional<Bytes> encode_padded(const ValueList& values, NumberStyle style, Padding padding) {
  const auto stripped = strip_all(values, padding);
  if (!stripped) return std::nullopt;
  const Cut first = cut((*stripped)[0], style);
  const auto fields = cut_all(*stripped, first, style);
  if (!fields) return std::nullopt;
  return put_pattern(padding, first, *fields);
}

struct FieldValues {
  Format format;
  unsigned digits;
  std::vector<std::int64_t> values, high;
};

Result<FieldValues> get_field(ByteReader& in, std::size_t rows) {
  FieldValues field;
  DICUBE_ASSIGN(auto format, in.get<std::uint8_t>());
  if (format > static_cast<std::uint8_t>(Format::kWide))
    return fail(ErrorClass::kDamaged, "{}: unknown number format {}", in.what(), format);
  field.format = static_cast<Format>(format);
  DICUBE_ASSIGN(auto digits, in.get_count(kMaxDigits, "digits"));
  field.digits = static_cast<unsigned>(digits);
  if (field.format == Format::kWide) {
    DICUBE_ASSIGN(field.high, get_integers(in, rows));
  }
  DICUBE_ASSIGN(field.values, get_integers(in, rows));
  const auto is_negative = [](std::int64_t value) { return value < 0; };
  if (field.format == Format::kWide && (std::any_of(field.high.begin(), field.high.end(), is_negative) ||
                                        std::any_of(field.values.begin(), field.values.end(), is_negative)))
    return fail(ErrorClass::kDamaged, "{}: a negative part of a wide number", in.what());
  return field;
}

void print_field(const FieldValues& field, std::size_t row, std::string& out) {
  if (field.format != Format::kWide) return print(field.values[row], field.format, field.digits, out);
  if (field.high[row] == 0) return print(field.values[row], Format::kInteger, 0, out);
  print(field.high[row], Format::kInteger, 0, out);
  print(field.values[row], Format::kPadded, kMaxDigits, out);
}

}  // namespace

std::optional<Bytes> encode_text(const ValueList& values, NumberStyle style) {
  std::optional<Bytes> best;
  for (Padding padding : {Padding::kNone, Padding::kSpace, Padding::kNul}) {
    auto encoded = encode_padded(values, style, padding);
    if (encoded && (!best || encoded->size() < best->size())) best = std::move(encoded);
  }
  return best;
}

Result<ValueList> decode_text(ByteReader& in, std::size_t rows, std::uint64_t most) {
  DICUBE_ASSIGN(auto padding_byte, in.get<std::uint8_t>());
  if (padding_byte > static_cast<std::uint8_t>(Padding::kNul))
    return fail(ErrorClass::kDamaged, "{}: unknown padding rule {}", in.what(), padding_byte);
  const auto padding = static_cast<Padding>(padding_byte);
  DICUBE_ASSIGN(auto count, in.get_count(kMaxFields, "number positions"));
  std::vector<ByteSpan> literals;
  for (std::size_t i = 0; i <= count; ++i) {
    DICUBE_ASSIGN(auto literal, in.get_string());
    literals.push_back(literal);
  }
  std::vector<FieldValues> fields;
  for (std::size_t i = 0; i < count; ++i) {
    DICUBE_ASSIGN(auto field, get_field(in, rows));
    fields.push_back(std::move(field));
  }
  ValueList values;
  values.reserve(rows);
  std::string text;
  for (std::size_t row = 0; row < rows; ++row) {
    text = as_text(literals[0]);
    for (std::size_t i = 0; i < count; ++i) {
      print_field(fields[i], row, text);
      text += as_text(literals[i + 1]);
    }
    if (padding != Padding::kNone && text.size() % 2 != 0) text += pad_character(padding);
    if (values.byte_count() + text.size() > most)
      return fail(ErrorClass::kDamaged, "{}: over {} bytes of text", in.what(), most);
    values.push(as_bytes(text));
  }
  return values;
}

}  // namespace dicube::columns
