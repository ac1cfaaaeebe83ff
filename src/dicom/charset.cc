// Character sets by PS3.3 C.12.1.1.2 and PS3.5 6.1. There are two kinds:
//  - UTF-8, GB18030 and GBK stand alone and know no escape sequences.
//  - All others are ISO 2022: bytes below 0x80 belong to the code element G0, the others to G1. Escape sequences
//    choose the two. At the start of a text and behind its delimiters they are those of the first value of
//    Specific Character Set (PS3.5 6.1.2.5.3).
#include "dicom/charset.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <span>

#include "base/utf8.h"

namespace dicube::dicom {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr char kEscape = '\x1B';

// How the bytes of a code element become those of a set that iconv knows.
enum class Shape : std::uint8_t {
  kNone,      // nothing is designated: no byte has a meaning
  kAscii,     // as it is
  kRomaji,    // ISO-IR 14: ASCII but for the overline. (Its yen sign stays a backslash, DICOM's delimiter.)
  kKatakana,  // ISO-IR 13: one byte, U+FF61 and up
  kSingle,    // one byte
  kDouble,    // two bytes of 0xA1 to 0xFE when in G1, of 0x21 to 0x7E when in G0
  kTriple,    // likewise, behind EUC-JP's single shift 3
};

struct CodeElement {
  std::string_view escape;  // without the ESC
  bool g1;
  Shape shape;
  const char* iconv_name;
  std::string_view term;  // n of the defined terms ISO_IR n and ISO 2022 IR n that begin with it
};

// PS3.3 tables C.12-2 to C.12-4.
constexpr CodeElement kCodeElements[] = {
    {"(B", false, Shape::kAscii, nullptr, ""},         {"(J", false, Shape::kRomaji, nullptr, "13"},
    {")I", true, Shape::kKatakana, nullptr, "13"},     {"-A", true, Shape::kSingle, "ISO-8859-1", "100"},
    {"-B", true, Shape::kSingle, "ISO-8859-2", "101"}, {"-C", true, Shape::kSingle, "ISO-8859-3", "109"},
    {"-D", true, Shape::kSingle, "ISO-8859-4", "110"}, {"-F", true, Shape::kSingle, "ISO-8859-7", "126"},
    {"-G", true, Shape::kSingle, "ISO-8859-6", "127"}, {"-H", true, Shape::kSingle, "ISO-8859-8", "138"},
    {"-L", true, Shape::kSingle, "ISO-8859-5", "144"}, {"-M", true, Shape::kSingle, "ISO-8859-9", "148"},
    {"-T", true, Shape::kSingle, "TIS-620", "166"},    {"-b", true, Shape::kSingle, "ISO-8859-15", "203"},
    {"$B", false, Shape::kDouble, "EUC-JP", ""},       {"$(D", false, Shape::kTriple, "EUC-JP", ""},
    {"$)C", true, Shape::kDouble, "EUC-KR", "149"},    {"$)A", true, Shape::kDouble, "GB2312", "58"},
};
constexpr CodeElement kNothing = {"", true, Shape::kNone, nullptr, ""};

// An iconv descriptor to UTF-8.
class Converter {
 public:
  explicit Converter(const char* from) : descriptor_(iconv_open("UTF-8", from)) {}
  ~Converter() {
    if (valid()) iconv_close(descriptor_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  bool valid() const { return descriptor_ != reinterpret_cast<iconv_t>(-1); }

  // Appends `text` converted; each byte that means nothing becomes U+FFFD.
  void run(std::string_view text, std::string& out) {
    std::array<char, 256> buffer;
    char* in = const_cast<char*>(text.data());
    std::size_t left = text.size();
    while (left > 0) {
      char* to = buffer.data();
      std::size_t room = buffer.size();
      const bool ok = iconv(descriptor_, &in, &left, &to, &room) != static_cast<std::size_t>(-1);
      const int error = errno;
      out.append(buffer.data(), buffer.size() - room);
      if (ok || error == E2BIG) continue;
      out += kReplacement;
      ++in;
      --left;
    }
  }

 private:
  iconv_t descriptor_;
};

void convert(const char* from, std::string_view text, std::string& out) {
  Converter converter(from);
  if (converter.valid()) return converter.run(text, out);
  for (std::size_t i = 0; i < text.size(); ++i) out += kReplacement;  // iconv's tables aren't installed
}

bool is_ascii(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return (c & 0x80) != 0 || c == kEscape; });
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    out += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

// "ISO_IR 100", "ISO 2022 IR 100" and their misspellings -> "100"; "" for the default repertoire.
std::string normalized(std::string_view term) {
  std::string upper;
  for (char c : term)
    if (c != '\0') upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  upper.erase(0, std::min(upper.find_first_not_of(' '), upper.size()));
  upper.erase(upper.find_last_not_of(' ') + 1);
  if (upper.empty() || upper == "GB18030" || upper == "GBK") return upper;
  if (upper == "UTF-8" || upper == "UTF8") return "192";
  if (const auto ir = upper.find("IR"); ir != upper.npos) {
    const auto digits = upper.find_first_of("0123456789", ir);
    if (digits != upper.npos) {
      const std::string number = upper.substr(digits);
      return number == "6" ? "" : number;
    }
  }
  return upper;
}

bool stands_alone(std::string_view term) { return term == "192" || term == "GB18030" || term == "GBK"; }

// Decodes one text that uses ISO 2022.
class Iso2022 {
 public:
  // REQUIRES: a term.
  Iso2022(std::span<const std::string> terms, bool person_name) : delimiters_(person_name ? "\\^=" : "\\") {
    const std::string& term = terms.front();
    bool known = term.empty() || term == "87" || term == "159";  // these two begin with the default repertoire
    for (const CodeElement& element : kCodeElements) {
      if (term.empty() || element.term != term) continue;
      (element.g1 ? first_g1_ : first_g0_) = &element;
      known = true;
    }
    if (!known) first_g1_ = &kCodeElements[3];  // Latin-1
    static_assert(kCodeElements[3].term == "100");
    for (const std::string& other : terms)
      if (first_g1_ == &kNothing) first_g1_ = g1_of(other);
  }

  std::string decode(std::string_view text) {
    reset();
    while (!text.empty()) {
      const std::size_t taken = text[0] == kEscape ? escape(text) : run(text);
      text.remove_prefix(taken);
    }
    return std::move(out_);
  }

 private:
  // Where the first set has no G1, writers forget the escape sequence of the one that they mean.
  static const CodeElement* g1_of(std::string_view term) {
    const auto* found = std::ranges::find_if(
        kCodeElements, [&](const CodeElement& one) { return one.g1 && !term.empty() && one.term == term; });
    return found == std::end(kCodeElements) ? &kNothing : found;
  }

  void reset() {
    g0_ = first_g0_;
    g1_ = first_g1_;
  }

  std::size_t escape(std::string_view text) {
    for (const CodeElement& element : kCodeElements)
      if (text.substr(1).starts_with(element.escape)) {
        (element.g1 ? g1_ : g0_) = &element;
        return 1 + element.escape.size();
      }
    out_ += kReplacement;
    return 1;
  }

  // Decodes the bytes from the start of `text` that belong to one code element, or a single control character, space
  // or delimiter; returns their number.
  std::size_t run(std::string_view text) {
    const char first = text[0];
    if (stands_for_itself(first)) {
      if (first == '\r' || first == '\n' || first == '\f' || first == '\t') reset();
      out_ += first;
      return 1;
    }
    const bool high = is_high(first);
    const CodeElement& element = high ? *g1_ : *g0_;
    const bool multi_byte = element.shape == Shape::kDouble || element.shape == Shape::kTriple;
    // In a G0 of two bytes per character, a delimiter's code is half of a character.
    if (!high && !multi_byte && delimiters_.find(first) != delimiters_.npos) {
      reset();
      out_ += first;
      return 1;
    }
    std::size_t size = 1;
    while (size < text.size() && !stands_for_itself(text[size]) && is_high(text[size]) == high &&
           (high || multi_byte || delimiters_.find(text[size]) == delimiters_.npos))
      ++size;
    put(element, text.substr(0, size));
    return size;
  }

  void put(const CodeElement& element, std::string_view text) {
    switch (element.shape) {
      case Shape::kAscii: out_ += text; return;
      case Shape::kNone: put_each(text, [](unsigned) { return std::string(kReplacement); }); return;
      case Shape::kRomaji:
        put_each(text, [](unsigned c) { return c == '~' ? "\u203E" : std::string(1, char(c)); });
        return;
      case Shape::kKatakana: put_each(text, katakana); return;
      case Shape::kSingle: convert(element.iconv_name, text, out_); return;
      case Shape::kDouble:
      case Shape::kTriple: put_multi_byte(element, text); return;
    }
  }

  template <class Function>
  void put_each(std::string_view text, Function character) {
    for (char c : text) out_ += character(static_cast<unsigned char>(c));
  }

  static std::string katakana(unsigned code) {
    if (code < 0xA1 || code > 0xDF) return std::string(kReplacement);
    const unsigned point = 0xFF61 + code - 0xA1;
    return {static_cast<char>(0xEF), static_cast<char>(0x80 | (point >> 6 & 0x3F)),
            static_cast<char>(0x80 | (point & 0x3F))};
  }

  // All of them become the EUC form of their set, whose bytes have the high bit set.
  void put_multi_byte(const CodeElement& element, std::string_view text) {
    std::string euc;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (element.shape == Shape::kTriple && i % 2 == 0) euc += '\x8F';
      euc += static_cast<char>(text[i] | 0x80);
    }
    convert(element.iconv_name, euc, out_);
  }

  static bool is_high(char c) { return (c & 0x80) != 0; }
  // Control characters and the space lie outside of every G0 and G1.
  static bool stands_for_itself(char c) { return static_cast<unsigned char>(c) <= 0x20; }

  const std::string_view delimiters_;
  const CodeElement* first_g0_ = &kCodeElements[0];
  const CodeElement* first_g1_ = &kNothing;
  const CodeElement* g0_ = nullptr;
  const CodeElement* g1_ = nullptr;
  std::string out_;
};

}  // namespace

CharacterSet::CharacterSet(std::string_view specific_character_set) {
  while (true) {
    const auto end = specific_character_set.find('\\');
    terms_.push_back(normalized(specific_character_set.substr(0, end)));
    if (end == specific_character_set.npos) break;
    specific_character_set.remove_prefix(end + 1);
  }
}

std::string CharacterSet::to_utf8(ByteSpan bytes, std::string_view vr) const {
  const std::string_view text = as_text(bytes);
  const std::string_view first = terms_.empty() ? std::string_view() : terms_.front();
  if (is_ascii(text) && first != "13") return std::string(text);
  if (first == "192") return valid_utf8(text);
  if (stands_alone(first)) {
    std::string out;
    convert(first.data(), text, out);
    return out;
  }
  static const std::vector<std::string> kDefault(1);
  return Iso2022(terms_.empty() ? kDefault : terms_, vr == "PN").decode(text);
}

}  // namespace dicube::dicom
