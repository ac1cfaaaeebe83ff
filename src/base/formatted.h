// Text from a format and values, by fmt; its code stands in one place instead of in each file that makes a text.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace dicube {

std::string formatted_from(fmt::string_view text, fmt::format_args values);

// As fmt::format: `formatted("section {} ends at {:#x}", id, end)`.
template <class... Args>
std::string formatted(fmt::format_string<Args...> text, Args&&... args) {
  return formatted_from(text, fmt::make_format_args(args...));
}

// "1 frame", "5 frames"
std::string counted(std::uint64_t number, std::string_view what);

}  // namespace dicube
