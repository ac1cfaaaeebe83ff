#include "dicom/value.h"

namespace dicube::dicom {

std::string_view trimmed(ByteSpan value) {
  constexpr std::string_view kPadding("\0 ", 2);
  std::string_view text = as_text(value);
  const std::size_t first = text.find_first_not_of(kPadding);
  if (first == text.npos) return text.substr(0, 0);
  return text.substr(first, text.find_last_not_of(kPadding) + 1 - first);
}

}  // namespace dicube::dicom
