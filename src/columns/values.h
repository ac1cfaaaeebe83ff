// The values of one column (or of a run of its rows) <-> bytes, by the shortest encoding that holds them.
#pragma once

#include "columns/value_list.h"

namespace dicube::columns {

// ON DISK: DO NOT CHANGE.
enum class ListKind : std::uint8_t {
  kConstant = 0,    // the value
  kPlain = 1,       // sizes as integers, all bytes packed
  kDictionary = 2,  // number of distinct values, sizes, bytes packed, then an index per row
  kText = 3,
  kLanes = 4,
  kWords = 5,  // bytes per word, words per value, all words as integers
};

// Never fails; the result depends on the values alone. spec/format.md, "Value lists".
Bytes encode_values(const ValueList& values);

// Whether this is one value for all rows, as it stands. REQUIRES: not empty.
bool is_constant(ByteSpan encoded);

// The inverse. Refuses more than `most` bytes of values in all, before they are made. REQUIRES: `rows` is bounded.
Result<ValueList> decode_values(ByteSpan encoded, std::size_t rows, std::uint64_t most, std::string_view what);

}  // namespace dicube::columns
