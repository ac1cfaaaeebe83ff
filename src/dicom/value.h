// Decoding element values by VR (PS3.5 section 6.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dicom/tokenizer.h"

namespace dicube::dicom {

// Bytes of a text VR -> UTF-8, by the values of Specific Character Set (0008,0005): ISO 646, ISO 8859-x, JIS X 0201,
// ISO 2022 code extensions, UTF-8, GB18030, GBK (PS3.3 C.12.1.1.2, PS3.5 6.1). Bytes that the set does not
// explain become U+FFFD. An unknown set is treated as Latin-1.
class CharacterSet {
 public:
  CharacterSet() = default;                                        // the default repertoire, ISO 646
  explicit CharacterSet(std::string_view specific_character_set);  // the raw value of (0008,0005)
  // A text of the VR PN returns to the first set behind "^" and "=", too (PS3.5 6.1.2.5.3).
  std::string to_utf8(ByteSpan text, std::string_view vr = {}) const;

 private:
  std::vector<std::string> terms_;
};

// A value as plain data: one of these per VR family; several values in a vector.
using Values = std::variant<std::vector<std::string>,   // text VRs, padding removed; AT "ggggeeee"; UV from 2^63
                            std::vector<std::int64_t>,  // SS US SL UL SV UV
                            std::vector<double>,        // FL FD
                            Bytes>;                     // OB OW OD OF OL OV UN and what can't be decoded
// `encoding` tells the byte order. Never fails: what contradicts its VR comes back as Bytes.
Values decode(ByteSpan value, std::string_view vr, Encoding encoding, const CharacterSet& charset);
// The first `most` values as one text, `separator` between them: numbers in decimal, those of FL as short as floats
// are. Nothing of bytes.
std::optional<std::string> joined(const Values& values, std::string_view vr, std::string_view separator,
                                  std::size_t most = SIZE_MAX);

// First value of IS, DS or a binary number; nullopt when there is none.
std::optional<double> first_number(ByteSpan value, std::string_view vr, Encoding encoding);
// All numbers of a DS, IS or binary value; empty when one of them is none.
std::vector<double> numbers(ByteSpan value, std::string_view vr, Encoding encoding);

// Text without leading and trailing spaces and NULs, not decoded.
std::string_view trimmed(ByteSpan value);

bool is_text(std::string_view vr);                 // AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT
bool is_affected_by_charset(std::string_view vr);  // SH LO ST LT PN UC UT

}  // namespace dicube::dicom
