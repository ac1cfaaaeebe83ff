// Text values that differ in their numbers only ("1.2.840.17.3", "-102.08\-31.26\1371.75", "I10"): the text
// between the numbers is kept once, each number position becomes an integer list.
#pragma once

#include <optional>

#include "columns/value_list.h"

namespace dicube::columns {

enum class NumberStyle : std::uint8_t { kDigits, kDecimals };  // "12.50" as 12 and 50, or as 12.50

// Nothing when the values don't share one pattern. The encoding is spec/format.md, "Text values".
std::optional<Bytes> encode_text(const ValueList& values, NumberStyle style);
// At most `most` bytes of values.
Result<ValueList> decode_text(ByteReader& in, std::size_t rows, std::uint64_t most);

}  // namespace dicube::columns
