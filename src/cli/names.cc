// Text from files on its way to a terminal or into JSON.
#include <algorithm>
#include <span>

#include "base/formatted.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "cli/command.h"

namespace dicube::cli {
namespace {

char32_t code_point(std::string_view sequence) {
  constexpr unsigned char kLeadBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t code = static_cast<unsigned char>(sequence[0]) & kLeadBits[sequence.size()];
  for (const char next : sequence.substr(1)) code = code << 6 | (static_cast<unsigned char>(next) & 0x3F);
  return code;
}

// What a terminal would obey, or what would make a line read as another: C0 and C1 controls, line separators, marks of
// direction.
bool commands_terminal(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

std::string escaped(char32_t code) {
  switch (code) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default:
      return code < 0x80 ? formatted("\\x{:02X}", static_cast<unsigned>(code))
                         : formatted("\\u{:04X}", static_cast<unsigned>(code));
  }
}

std::string with_escapes(std::string_view text, bool for_terminal) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0)
      out += formatted("\\x{:02X}", static_cast<unsigned char>(text[0]));
    else if (const char32_t code = code_point(text.substr(0, length)); for_terminal && commands_terminal(code))
      out += escaped(code);
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::string printable(std::string_view text) { return with_escapes(text, true); }
std::string json_text(std::string_view text) { return with_escapes(text, false); }

void put_name(Json& object, const std::string& key, std::string_view text) {
  object[key] = json_text(text);
  if (is_utf8(text)) return;
  object[key + "_hex"] = hex(std::as_bytes(std::span(text)));
}

Json to_json(const Error& error) {
  Json json = {{"class", name(error.error_class)}};
  put_name(json, "file", error.file);
  json["message"] = json_text(error.message);
  return json;
}

}  // namespace dicube::cli
