// A list of 64-bit integers in few bytes: constant, arithmetic, bit-packed or byte planes through zstd.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace dicube::columns {

// What a list is written for: to be short as it stands, or, in whole bytes and not packed by itself, to be packed with
// all of its section, which finds more that is alike then.
enum class ListForm : std::uint8_t { kShort, kForPacking };

// Appends one of the encodings in spec/format.md, "Integer lists". The count is not stored.
void put_integers(std::span<const std::int64_t> values, ByteWriter& out, ListForm form = ListForm::kShort);

// REQUIRES: the caller bounded `count`, below 2^32.
Result<std::vector<std::int64_t>> get_integers(ByteReader& in, std::size_t count);

}  // namespace dicube::columns
