#include "cli/complaints.h"

#include <algorithm>

#include "base/formatted.h"

namespace dicube::cli {
namespace {

constexpr std::size_t kSaid = 3;

// "(7FE0,0010)"
bool starts_with_tag(std::string_view text) {
  constexpr std::size_t kLength = 11;
  if (text.size() < kLength || text[0] != '(' || text[5] != ',' || text[10] != ')') return false;
  return text.substr(1, 9).find_first_not_of("0123456789ABCDEF,") == std::string_view::npos;
}

// "2bc559df16a537d8": its letters are digits.
bool starts_with_checksum(std::string_view text) {
  constexpr std::size_t kLength = 16;
  return text.size() >= kLength && text.substr(0, kLength).find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Of the tag, the checksum or the number that `text` begins with; 0 where there is none.
std::size_t number_length(std::string_view text) {
  if (starts_with_tag(text)) return 11;
  if (starts_with_checksum(text)) return 16;
  return std::min(text.find_first_not_of("0123456789"), text.size());
}

// Words, a number, words, a number, ..., words.
std::vector<std::string> parts_of(std::string_view reason) {
  std::vector<std::string> parts(1);
  while (!reason.empty()) {
    const std::size_t length = number_length(reason);
    if (length == 0) {
      parts.back() += reason[0];
    } else {
      parts.emplace_back(reason.substr(0, length));
      parts.emplace_back();
    }
    reason.remove_prefix(std::max<std::size_t>(1, length));
  }
  return parts;
}

std::string kind_of(ErrorClass error_class, const std::vector<std::string>& parts) {
  std::string kind(name(error_class));
  for (std::size_t i = 0; i < parts.size(); i += 2) kind += parts[i] + '\0';
  return kind;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

}  // namespace

int Complaints::add(const Error& error, std::string_view reason) {
  const std::vector<std::string> parts = parts_of(reason.empty() ? error.message : reason);
  Kind& kind = kinds_[kind_of(error.error_class, parts)];
  const bool again = !kind.said.empty() && kind.said.back() == describe(error);
  if (!again && kind.said.size() < kSaid) {
    kind.said.push_back(describe(error));
    return common_.error(error);
  }
  if (kind.unsaid++ == 0) kind.reason = parts;
  for (std::size_t i = 1; i < parts.size(); i += 2)
    if (parts[i] != kind.reason[i]) kind.reason[i] = "N";
  return common_.error_unsaid(error);
}

void Complaints::say_rest() {
  for (const auto& [key, kind] : kinds_)
    if (kind.unsaid > 0)
      common_.error_text(
          formatted("... and {} more for the same reason: {}", kind.unsaid, printable(joined(kind.reason))));
  kinds_.clear();
}

}  // namespace dicube::cli
