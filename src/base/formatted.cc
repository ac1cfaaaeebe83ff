#include "base/formatted.h"

namespace dicube {

std::string formatted_from(fmt::string_view text, fmt::format_args values) { return fmt::vformat(text, values); }

}  // namespace dicube
