#include "cli/complaints.h"

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

std::string kind_of(ErrorClass error_class, std::string_view reason) {
  std::string kind(name(error_class));
  for (std::size_t i = 0; i < reason.size(); ++i) {
    if (starts_with_tag(reason.substr(i))) {
      kind += "(0,0)";
      i += 10;
    } else if (starts_with_checksum(reason.substr(i))) {
      kind += "sum";
      i += 15;
    } else if (reason[i] < '0' || reason[i] > '9') {
      kind += reason[i];
    } else if (kind.back() != '0') {
      kind += '0';
    }
  }
  return kind;
}

}  // namespace

int Complaints::add(const Error& error, std::string_view reason) {
  if (reason.empty()) reason = error.message;
  Kind& kind = kinds_[kind_of(error.error_class, reason)];
  ++kind.count;
  kind.reason = reason;
  const bool again = !kind.said.empty() && kind.said.back() == describe(error);
  if (again || kind.said.size() == kSaid) return common_.error_unsaid(error);
  kind.said.push_back(describe(error));
  return common_.error(error);
}

void Complaints::say_rest() {
  for (const auto& [key, kind] : kinds_)
    if (kind.count > kind.said.size()) {
      common_.error_text(
          formatted("... and {} more for the same reason: {}", kind.count - kind.said.size(), printable(kind.reason)));
    }
  kinds_.clear();
}

}  // namespace dicube::cli
