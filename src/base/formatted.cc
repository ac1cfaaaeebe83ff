#include "base/formatted.h"

namespace dicube {

std::string formatted_from(fmt::string_view text, fmt::format_args values) { return fmt::vformat(text, values); }

std::string counted(std::uint64_t number, std::string_view what) {
  return formatted("{} {}{}", number, what, number == 1 ? "" : "s");
}

}  // namespace dicube
