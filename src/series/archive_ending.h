// The kinds of archives, which the endings of their names tell apart, so that nobody takes one for the other.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace dicube::series {

constexpr std::string_view kPlainEnding = ".dcbs";
constexpr std::string_view kReferencesEnding = ".dcba";  // frames are coded after others
constexpr std::string_view kLossyEnding = ".dcbl";       // of derived images

// Whether a name ends so, or in capital letters, as some media have all names.
bool has_ending(std::string_view name, std::string_view ending);

// Whether a file of this name, or at this path, is an archive by its ending.
bool is_archive_name(std::string_view name);

// kUsage unless an archive of this kind may be named so.
Status check_ending(const std::string& name, bool lossy, bool references);

}  // namespace dicube::series
