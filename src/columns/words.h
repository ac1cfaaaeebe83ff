// Long binary values (histograms, tables, samples): the words of all of them as one list of integers.
#pragma once

#include <optional>

#include "columns/value_list.h"

namespace dicube::columns {

// Nothing where the values are short, many, or no whole words, or a sample of them gets hardly shorter. The encoding is
// spec/format.md, "Words".
std::optional<Bytes> encode_words(const ValueList& values);
Result<ValueList> decode_words(ByteReader& in, std::size_t rows, std::uint64_t most);

}  // namespace dicube::columns
