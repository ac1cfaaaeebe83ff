// Which rows of a column belong to which instance: found where it is asked for, from the layouts of its parent's items.
#include <algorithm>

#include "archive/metadata.h"

namespace dicube::archive {
namespace {

bool is_special(columns::ColumnKind kind) { return kind >= columns::ColumnKind::kName; }

}  // namespace

// Made once for all columns: one pass over the layouts, however many columns there are.
const Metadata::Uses& Metadata::uses() const {
  std::call_once(uses_once_, [&] {
    const std::size_t columns = schema_.columns().size();
    std::vector<std::size_t> ends(columns + 1);
    for (const columns::Layout& layout : schema_.layouts())
      for (ColumnId column : layout) ++ends[column + 1];
    for (std::size_t column = 0; column < columns; ++column) ends[column + 1] += ends[column];
    uses_.begins = ends;
    uses_.uses.resize(ends[columns]);
    for (LayoutId number = 0; number < schema_.layouts().size(); ++number)
      for (ColumnId column : schema_.layouts()[number]) {
        std::size_t& end = ends[column];
        if (end > uses_.begins[column] && uses_.uses[end - 1].layout == number)
          ++uses_.uses[end - 1].times;
        else
          uses_.uses[end++] = {number, 1};
      }
    for (std::size_t column = 0; column < columns;
         ++column)  // a column that repeats inside a layout leaves places over
      std::fill(uses_.uses.begin() + static_cast<std::ptrdiff_t>(ends[column]),
                uses_.uses.begin() + static_cast<std::ptrdiff_t>(uses_.begins[column + 1]), Uses::Use{0xFFFFFFFF, 0});
  });
  return uses_;
}

std::span<const Metadata::Uses::Use> Metadata::Uses::of(ColumnId column) const {
  return std::span(uses).subspan(begins[column], begins[column + 1] - begins[column]);
}

std::uint64_t Metadata::Uses::times(ColumnId column, LayoutId layout) const {
  const auto own = of(column);
  const auto found = std::ranges::lower_bound(own, layout, {}, &Use::layout);
  return found != own.end() && found->layout == layout ? found->times : 0;
}

Metadata::Range Metadata::RowMap::range(std::size_t instance) const {
  if (!begins.empty()) return {begins[instance], begins[instance + 1]};
  if (few.empty()) return {instance * each, (instance + 1) * each};
  const auto found = std::ranges::lower_bound(few, instance, {}, &Begin::instance);
  if (found == few.end()) return {few.back().row, few.back().row};
  return found->instance == instance ? Range{found->row, (found + 1)->row} : Range{found->row, found->row};
}

Result<Metadata::Places> Metadata::places_of_roots() const {
  Places places;
  for (std::size_t instance = 0; instance < instances_; ++instance) {
    DICUBE_ASSIGN(const auto at, roots(instance));
    places.push_back({at.meta, {instance, 1}});
    places.push_back({at.data, {instance, 1}});
  }
  return places;
}

Result<Metadata::Places> Metadata::places_of_items(ColumnId sequence) const {
  Places places;
  DICUBE_ASSIGN(const auto map, row_map(sequence));
  const auto add = [&](std::size_t instance, Range range) -> Status {
    for (std::uint64_t row = range.begin; row < range.end; ++row) {
      DICUBE_ASSIGN(const auto values, run(sequence, row));
      DICUBE_ASSIGN(const auto list, items(values->values[row - values->first]));
      for (const columns::Item& item : list) {
        const bool again =
            !places.empty() && places.back().layout == item.layout && places.back().count.instance == instance;
        if (again)
          ++places.back().count.times;
        else
          places.push_back({item.layout, {instance, 1}});
      }
    }
    return {};
  };
  if (map->few.empty())
    for (std::size_t instance = 0; instance < instances_; ++instance) DICUBE_TRY(add(instance, map->range(instance)));
  for (std::size_t i = 0; i + 1 < map->few.size(); ++i)
    DICUBE_TRY(add(map->few[i].instance, {map->few[i].row, map->few[i + 1].row}));
  return places;
}

// Found once for all columns of a data set or of a sequence's items.
Result<std::shared_ptr<const Metadata::Places>> Metadata::places(ColumnId parent) const {
  Cached& cached = parent == columns::kNoParent ? roots_ : *cache_[parent];
  {
    std::lock_guard lock(cached.mutex);
    if (cached.places) return cached.places;
  }
  DICUBE_ASSIGN(Places found, parent == columns::kNoParent ? places_of_roots() : places_of_items(parent));
  std::ranges::sort(found, {}, [](const Placed& placed) { return std::pair(placed.layout, placed.count.instance); });
  auto places = std::make_shared<Places>(std::move(found));
  std::lock_guard lock(cached.mutex);
  cached.places = places;
  return std::shared_ptr<const Places>(places);
}

Result<std::vector<Metadata::Count>> Metadata::rows_per_instance(ColumnId column) const {
  DICUBE_ASSIGN(const auto where, places(schema_.columns()[column].parent));
  std::vector<Count> counts;
  for (const Uses::Use& use : uses().of(column)) {
    if (use.times == 0) continue;
    for (auto at = std::ranges::lower_bound(*where, use.layout, {}, &Placed::layout);
         at != where->end() && at->layout == use.layout; ++at)
      counts.push_back({at->count.instance, at->count.times * use.times});
  }
  std::ranges::sort(counts, {}, &Count::instance);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (kept > 0 && counts[kept - 1].instance == counts[i].instance)
      counts[kept - 1].times += counts[i].times;
    else
      counts[kept++] = counts[i];
  }
  counts.resize(kept);
  return counts;
}

Result<std::optional<std::uint64_t>> Metadata::even_rows(ColumnId column) const {
  const ColumnKey& key = schema_.columns()[column];
  if (is_special(key.kind)) return 1;
  if (instances_ == 0) return 0;
  if (key.parent != columns::kNoParent) return std::nullopt;
  DICUBE_ASSIGN(const auto roots_column, special(columns::ColumnKind::kRoots));
  if (chunks(roots_column)[0].place != Place::kConstant) return std::nullopt;
  DICUBE_ASSIGN(const auto at, roots(0));
  return uses().times(column, at.meta) + uses().times(column, at.data);
}

Result<std::shared_ptr<const Metadata::RowMap>> Metadata::row_map(ColumnId column) const {
  Cached& cached = *cache_[column];
  {
    std::lock_guard lock(cached.mutex);
    if (cached.map) return cached.map;
  }
  auto map = std::make_shared<RowMap>();
  DICUBE_ASSIGN(const auto even, even_rows(column));
  std::vector<Count> counts;
  if (!even) {
    DICUBE_ASSIGN(counts, rows_per_instance(column));
  }
  const auto as_first = [&](const Count& count) { return count.times == counts[0].times; };
  std::uint64_t total = 0;
  for (const Count& count : counts) total += count.times;
  if (even || counts.empty() || (counts.size() == instances_ && std::ranges::all_of(counts, as_first))) {
    map->each = even ? *even : counts.empty() ? 0 : counts[0].times;
    total = map->each * instances_;
  } else if (counts.size() < instances_ / 4) {
    std::uint64_t row = 0;
    for (const Count& count : counts) {
      map->few.push_back({count.instance, row});
      row += count.times;
    }
    map->few.push_back({instances_, row});
  } else {
    map->begins.resize(instances_ + 1);
    for (const Count& count : counts) map->begins[count.instance + 1] = count.times;
    for (std::size_t i = 0; i < instances_; ++i) map->begins[i + 1] += map->begins[i];
  }
  if (total != rows(column))
    return fail(ErrorClass::kDamaged, "column {} has {} rows but the layouts want {}", column, rows(column), total);
  std::lock_guard lock(cached.mutex);
  cached.map = map;
  return std::shared_ptr<const RowMap>(map);
}

Result<Metadata::Range> Metadata::range(ColumnId column, std::size_t instance) const {
  DICUBE_ASSIGN(auto map, row_map(column));
  return map->range(instance);
}

Result<bool> Metadata::is_constant(ColumnId column) const {
  const auto& all = chunks(column);
  if (all.size() != 1 || all[0].place != Place::kConstant) return false;
  DICUBE_ASSIGN(auto map, row_map(column));
  return map->is_even() && map->each == 1;
}

}  // namespace dicube::archive
