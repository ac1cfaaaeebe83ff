// Values per frame of enhanced multi-frame instances: their functional groups (PS3.3 C.7.6.16).
#pragma once

#include <optional>
#include <vector>

#include "archive/metadata.h"
#include "archive/path.h"

namespace dicube::archive {

// A column inside functional groups that a path names.
struct GroupColumn {
  std::vector<ColumnId> chain;                    // from the column of the groups' sequence to the column itself
  std::vector<std::optional<std::size_t>> items;  // that the path wants of each of them; of the last none
  bool is_shared = false;                         // of Shared Functional Groups Sequence
};

// All columns inside functional groups whose place ends with `path`: those of per-frame groups first, then those
// nearest to their groups. What scanners keep in private sequences there, whole data sets of earlier ones at times,
// says nothing of the frame: it counts only where the path names these sequences, or is a private element's.
std::vector<GroupColumn> find_in_groups(const columns::Schema& schema, const std::vector<Step>& path);

struct Cell {
  ColumnId column = 0;
  std::uint64_t row = 0;
  friend bool operator==(const Cell&, const Cell&) = default;
};

// For each of an instance's frames, where the first of `columns` that has it has it.
Result<std::vector<std::optional<Cell>>> cells_of_frames(const Metadata& metadata,
                                                         const std::vector<GroupColumn>& columns, std::size_t instance,
                                                         std::size_t frames);

}  // namespace dicube::archive
