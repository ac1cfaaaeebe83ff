// UTF-8 (RFC 3629).
#pragma once

#include <cstddef>
#include <string_view>

namespace dicube {

// Bytes of the well-formed sequence that `text` begins with; 0 when there is none. REQUIRES: not empty.
std::size_t utf8_length(std::string_view text);

}  // namespace dicube
