#include "series/archive_ending.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace dicube::series {

bool has_ending(std::string_view name, std::string_view ending) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == b; };
  return name.size() >= ending.size() && std::ranges::equal(name.substr(name.size() - ending.size()), ending, same);
}

bool is_archive_name(std::string_view name) {
  const std::string ending = std::filesystem::path(name).extension().string();
  return has_ending(ending, kPlainEnding) || has_ending(ending, kReferencesEnding) || has_ending(ending, kLossyEnding);
}

Status check_ending(const std::string& name, bool lossy, bool references) {
  const auto wrong = [&](std::string_view message) {
    return tl::unexpected<Error>(Error{ErrorClass::kUsage, std::string(message), name});
  };
  if (references && !has_ending(name, kReferencesEnding))
    return wrong("an archive with frames coded after others must be named .dcba");
  if (!references && has_ending(name, kReferencesEnding))
    return wrong("only an archive with frames coded after others (the option archive) is named .dcba");
  if (lossy && !has_ending(name, kLossyEnding)) return wrong("a lossy archive must be named .dcbl");
  if (!lossy && has_ending(name, kLossyEnding)) return wrong("only a lossy archive is named .dcbl");
  return {};
}

}  // namespace dicube::series
