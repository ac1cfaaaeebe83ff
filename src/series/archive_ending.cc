#include "series/archive_ending.h"

#include <filesystem>

namespace dicube::series {

bool is_archive_name(std::string_view name) {
  const std::string ending = std::filesystem::path(name).extension().string();
  return ending == kPlainEnding || ending == kReferencesEnding || ending == kLossyEnding;
}

Status check_ending(const std::string& name, bool lossy, bool references) {
  const auto wrong = [&](std::string_view message) {
    return tl::unexpected<Error>(Error{ErrorClass::kUsage, std::string(message), name});
  };
  if (references && !name.ends_with(kReferencesEnding))
    return wrong("an archive with frames coded after others must be named .dcba");
  if (!references && name.ends_with(kReferencesEnding))
    return wrong("only an archive with frames coded after others (the option archive) is named .dcba");
  if (lossy && !name.ends_with(kLossyEnding)) return wrong("a lossy archive must be named .dcbl");
  if (!lossy && name.ends_with(kLossyEnding)) return wrong("only a lossy archive is named .dcbl");
  return {};
}

}  // namespace dicube::series
