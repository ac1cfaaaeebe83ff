// Tokens of one run of elements: the file meta group, or a data set.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dicom/header.h"
#include "dicom/tokenizer.h"

namespace dicube::dicom {

enum class Until : std::uint8_t {
  kEnd,      // the end of the bytes
  kPixels,   // the first top-level pixel data element
  kDataSet,  // the first element behind the file meta group
};

struct Elements {
  std::vector<Token> tokens;  // whole top-level elements only
  std::uint64_t end = 0;      // where the last of them ends
  std::optional<Stop> stop;   // what ended them, unless it was `Until` or the end of the bytes at hand
};

// Never fails, never recurses.
Elements read_elements(const Window& window, std::uint64_t begin, Encoding encoding, Until until);

}  // namespace dicube::dicom
