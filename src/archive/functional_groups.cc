#include "archive/functional_groups.h"
#include "dicom/tags.h"

#include <algorithm>

namespace dicube::archive {
namespace {

// Which item of the groups' sequence each row of a column belongs to, and whether it is one of the items that a path
// names.
struct RowPlace {
  std::size_t group = 0;
  bool is_named = true;
};

bool is_private(dicom::Tag tag) { return (tag >> 16) % 2 != 0; }

std::optional<GroupColumn> group_column(const columns::Schema& schema, ColumnId column, const std::vector<Step>& path) {
  const auto& all = schema.columns();
  GroupColumn out;
  for (ColumnId at = column; at != columns::kNoParent; at = all[at].parent) out.chain.push_back(at);
  std::reverse(out.chain.begin(), out.chain.end());
  const dicom::Tag root = all[out.chain[0]].tag;
  if (root != dicom::kPerFrameGroups && root != dicom::kSharedGroups) return std::nullopt;
  out.is_shared = root == dicom::kSharedGroups;
  if (out.chain.size() <= path.size()) return std::nullopt;  // the groups' sequence is no part of the path
  out.items.resize(out.chain.size());
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (all[out.chain[out.chain.size() - i]].tag != path[path.size() - i].tag) return std::nullopt;
    out.items[out.chain.size() - i] = path[path.size() - i].item;
  }
  const auto is_private_column = [&](ColumnId id) { return is_private(all[id].tag); };
  const auto named = out.chain.end() - static_cast<std::ptrdiff_t>(path.size());
  if (!is_private(path.back().tag) && std::any_of(out.chain.begin(), named, is_private_column)) return std::nullopt;
  return out;
}

// The places of the rows of the column behind number `level` of the chain, from those of its parent's rows, which begin
// at `row`; at most `most`.
Result<std::vector<RowPlace>> places_of_next(const Metadata& metadata, const GroupColumn& column, std::size_t level,
                                             std::uint64_t row, const std::vector<RowPlace>& parents,
                                             std::uint64_t most) {
  std::vector<RowPlace> places;
  for (const RowPlace& place : parents) {
    DICUBE_ASSIGN(const auto run, metadata.run(column.chain[level], row));
    DICUBE_ASSIGN(const auto items, metadata.items(run->values[row - run->first]));
    ++row;
    for (std::size_t item = 0; item < items.size(); ++item) {
      const auto& layout = metadata.schema().layouts()[items[item].layout];
      const auto times = static_cast<std::uint64_t>(std::count(layout.begin(), layout.end(), column.chain[level + 1]));
      if (times > most - places.size())
        return fail(ErrorClass::kDamaged, "an instance has {} rows of column {}, more are asked for", most,
                    column.chain[level + 1]);
      const RowPlace inside{level == 0 ? item : place.group,
                            place.is_named && column.items[level].value_or(item) == item};
      places.insert(places.end(), times, inside);
    }
  }
  return places;
}

// The places of the column's rows in one instance.
Result<std::vector<RowPlace>> places(const Metadata& metadata, const GroupColumn& column, std::size_t instance) {
  DICUBE_ASSIGN(auto range, metadata.range(column.chain[0], instance));
  std::vector<RowPlace> at(range.end > range.begin ? 1 : 0);
  for (std::size_t level = 0; level + 1 < column.chain.size() && !at.empty(); ++level) {
    DICUBE_ASSIGN(const auto next, metadata.range(column.chain[level + 1], instance));
    DICUBE_ASSIGN(at, places_of_next(metadata, column, level, range.begin, at, next.end - next.begin));
    range = next;
  }
  return at;
}

}  // namespace

std::vector<GroupColumn> find_in_groups(const columns::Schema& schema, const std::vector<Step>& path) {
  std::vector<GroupColumn> found;
  for (ColumnId id = 0; id < schema.columns().size(); ++id)
    if (schema.columns()[id].kind <= columns::ColumnKind::kSequence && schema.columns()[id].tag == path.back().tag)
      if (auto column = group_column(schema, id, path)) found.push_back(*std::move(column));
  std::stable_sort(found.begin(), found.end(), [](const GroupColumn& a, const GroupColumn& b) {
    return a.is_shared != b.is_shared ? b.is_shared : a.chain.size() < b.chain.size();
  });
  return found;
}

Result<std::vector<std::optional<Cell>>> cells_of_frames(const Metadata& metadata,
                                                         const std::vector<GroupColumn>& columns, std::size_t instance,
                                                         std::size_t frames) {
  std::vector<std::optional<Cell>> cells(frames);
  for (const GroupColumn& column : columns) {
    DICUBE_ASSIGN(const auto at, places(metadata, column, instance));
    DICUBE_ASSIGN(const auto range, metadata.range(column.chain.back(), instance));
    std::optional<Cell> shared;
    for (std::size_t i = 0; i < at.size(); ++i) {
      const Cell cell{column.chain.back(), range.begin + i};
      if (!at[i].is_named) continue;
      if (column.is_shared && at[i].group == 0 && !shared) shared = cell;
      if (!column.is_shared && at[i].group < frames && !cells[at[i].group]) cells[at[i].group] = cell;
    }
    if (!shared) continue;
    for (auto& cell : cells)
      if (!cell) cell = shared;
  }
  return cells;
}

}  // namespace dicube::archive
