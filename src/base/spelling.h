// What a person meant who mistyped a word.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace dicube {

// The one of `known` that is nearest to `typed`, whatever the case of its letters; nothing when none is near.
std::optional<std::string_view> nearest_word(std::string_view typed, std::span<const std::string_view> known);

}  // namespace dicube
