// Decoding element values by VR (PS3.5 section 6.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dicom/charset.h"
#include "dicom/tokenizer.h"

namespace dicube::dicom {

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
bool is_bytes(std::string_view vr);                // OB OD OF OL OV OW UN
bool is_affected_by_charset(std::string_view vr);  // SH LO ST LT PN UC UT

}  // namespace dicube::dicom
