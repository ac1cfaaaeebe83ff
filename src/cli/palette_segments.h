// Palettes in segments (PS3.3 C.7.9.2).
#pragma once

#include <span>
#include <vector>

#include "base/result.h"

namespace dicube::cli {

// No more units than that say so many entries: each segment is one entry at least, of six units at most.
constexpr std::size_t most_segment_units(std::size_t entries) { return 6 * entries; }

// The entries that segments stand for, at most `most`: runs of values, lines, and references to segments said before.
// `units`: the numbers of `bytes_each` (1 or 2) bytes that the data consist of. Errors are kUnsupported.
Result<std::vector<double>> entries_of_segments(std::span<const double> units, std::size_t bytes_each,
                                                std::size_t most);

}  // namespace dicube::cli
