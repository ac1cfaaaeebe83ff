#include "cli/complaints.h"

#include <fmt/format.h>

namespace dicube::cli {
namespace {

constexpr std::size_t kSaid = 3;

std::string kind_of(const Error& error) {
  std::string kind(name(error.error_class));
  for (const char c : error.message)
    if (c < '0' || c > '9')
      kind += c;
    else if (kind.back() != '0')
      kind += '0';
  return kind;
}

}  // namespace

int Complaints::add(const Error& error) {
  Kind& kind = kinds_[kind_of(error)];
  if (++kind.count <= kSaid) return common_.error(error);
  kind.message = error.message;
  return common_.error_unsaid(error);
}

void Complaints::say_rest() {
  for (const auto& [key, kind] : kinds_)
    if (kind.count > kSaid) {
      common_.error_text(
          fmt::format("... and {} more for the same reason: {}", kind.count - kSaid, printable(kind.message)));
    }
  kinds_.clear();
}

}  // namespace dicube::cli
