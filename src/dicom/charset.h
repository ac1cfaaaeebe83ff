// Specific Character Set (0008,0005): from the bytes of texts to UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace dicube::dicom {

// Bytes of a text VR -> UTF-8, by the values of Specific Character Set (0008,0005): ISO 646, ISO 8859-x, JIS X 0201,
// ISO 2022 code extensions, UTF-8, GB18030, GBK (PS3.3 C.12.1.1.2, PS3.5 6.1). Bytes that the set does not
// explain become U+FFFD. An unknown set is treated as Latin-1. Bytes above 0x7F that lack their escape sequence belong
// to the first of the sets that has such.
class CharacterSet {
 public:
  CharacterSet() = default;                                        // the default repertoire, ISO 646
  explicit CharacterSet(std::string_view specific_character_set);  // the raw value of (0008,0005)
  // A text of the VR PN returns to the first set behind "^" and "=", too (PS3.5 6.1.2.5.3).
  std::string to_utf8(ByteSpan text, std::string_view vr = {}) const;

 private:
  std::vector<std::string> terms_;
};

}  // namespace dicube::dicom
