// Binary values of one size (US, FL, FD, private structures): cut into lanes of 1, 2, 4 or 8 bytes, each an integer
// list; floating point lanes whose numbers are short decimals become the integers of those decimals.
#pragma once

#include <optional>

#include "columns/value_list.h"

namespace dicube::columns {

// Nothing when the values differ in size or are long. The encoding is spec/format.md, "Binary values".
std::optional<Bytes> encode_lanes(const ValueList& values);
Result<ValueList> decode_lanes(ByteReader& in, std::size_t rows, std::uint64_t most);

}  // namespace dicube::columns
