#include "archive/metadata.h"

#include <algorithm>

#include "base/checked.h"
#include "columns/integers.h"
#include "columns/values.h"

namespace dicube::archive {
namespace {

constexpr std::string_view kWhat = "section 'SCHM'";
constexpr std::uint64_t kMostValueBytes = std::uint64_t{1} << 40;  // refused earlier by what the packed bytes can hold

constexpr std::string_view kValues = "a column's values";
constexpr std::uint64_t kLargeBlock = std::uint64_t{64} << 10;  // values that pack best have the largest in one

bool is_large(const Chunk& chunk) {
  return chunk.place == Place::kBlock && chunk.rows == 1 && chunk.size >= kLargeBlock;
}

bool is_special(columns::ColumnKind kind) { return kind >= columns::ColumnKind::kName; }

// What the section says of the chunks: how many each column has; of all of them in turn the places, rows and sizes;
// and the blocks of those that are in some.
struct ChunkLists {
  std::vector<std::int64_t> counts, places, rows, sizes, blocks;
};

Result<ChunkLists> read_lists(ByteReader& in, std::size_t columns, std::uint64_t max_rows) {
  ChunkLists lists;
  DICUBE_ASSIGN(lists.counts, columns::get_integers(in, columns));
  DICUBE_ASSIGN(const auto total, in.get_count(max_rows, "runs of values"));
  DICUBE_ASSIGN(lists.places, columns::get_integers(in, total));
  DICUBE_ASSIGN(lists.rows, columns::get_integers(in, total));
  DICUBE_ASSIGN(lists.sizes, columns::get_integers(in, total));
  const auto in_blocks = std::ranges::count(lists.places, static_cast<std::int64_t>(Place::kBlock));
  DICUBE_ASSIGN(lists.blocks, columns::get_integers(in, static_cast<std::size_t>(in_blocks)));
  return lists;
}

// Without its offset.
Result<Chunk> chunk_of(const ChunkLists& lists, std::size_t i, std::uint64_t max_rows) {
  const std::int64_t place = lists.places[i], rows = lists.rows[i], size = lists.sizes[i];
  if (place < 0 || place > 3 || rows < 1 || static_cast<std::uint64_t>(rows) > max_rows || size < 0)
    return fail(ErrorClass::kDamaged, "{}: a run of place {}, {} rows and {} bytes, at most {} rows possible", kWhat,
                place, rows, size, max_rows);
  return Chunk{static_cast<Place>(place), static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(size), 0};
}

// Bytes that chunks have one after another.
struct ByteRun {
  std::uint64_t size, end = 0;
  Status take(Chunk& chunk) {
    if (!fits(end, chunk.size, size))
      return fail(ErrorClass::kDamaged, "{}: {} bytes of values at {} but there are {}", kWhat, chunk.size, end, size);
    chunk.offset = end;
    end += chunk.size;
    return {};
  }
  bool is_used_up() const { return end == size; }
};

}  // namespace

Bytes write_roots(const Roots& roots) {
  ByteWriter out;
  out.put_varint(roots.meta);
  out.put_varint(roots.data);
  out.put(roots.encoding);
  out.put<std::uint8_t>(roots.kept ? 1 : 0);
  return out.take();
}

Result<Roots> read_roots(ByteSpan value) {
  ByteReader in(value, "an instance's roots");
  Roots roots;
  DICUBE_ASSIGN(auto meta, in.get_count(0xFFFFFFFF, "as a layout"));
  DICUBE_ASSIGN(auto data, in.get_count(0xFFFFFFFF, "as a layout"));
  roots.meta = static_cast<LayoutId>(meta);
  roots.data = static_cast<LayoutId>(data);
  DICUBE_ASSIGN(roots.encoding, in.get<std::uint8_t>());
  DICUBE_ASSIGN(auto kept, in.get<std::uint8_t>());
  DICUBE_TRY(in.expect_end());
  if (roots.encoding > 2 || kept > 1)
    return fail(ErrorClass::kDamaged, "an instance's roots: encoding {}, form {}", roots.encoding, kept);
  roots.kept = kept == 1;
  return roots;
}

Result<std::unique_ptr<Metadata>> Metadata::open(ByteSpan schema, Bytes columns, std::size_t instances,
                                                 std::uint64_t max_rows, Blocks blocks) {
  std::unique_ptr<Metadata> metadata(new Metadata);
  metadata->columns_ = std::move(columns);
  metadata->instances_ = instances;
  metadata->max_rows_ = max_rows;
  metadata->blocks_ = std::move(blocks);
  ByteReader in(schema, kWhat);
  DICUBE_ASSIGN(metadata->schema_, columns::Schema::read(in));
  DICUBE_TRY(metadata->read_chunks(in));
  for (std::size_t i = 0; i < metadata->schema_.columns().size(); ++i)
    metadata->cache_.push_back(std::make_unique<Cached>());
  return metadata;
}

Status Metadata::read_chunks(ByteReader& in) {
  const std::size_t columns = schema_.columns().size();
  DICUBE_ASSIGN(const auto lists, read_lists(in, columns, max_rows_));
  DICUBE_ASSIGN(auto constants, in.get_bytes(in.left()));
  constants_.assign(constants.begin(), constants.end());
  chunks_.resize(columns);
  has_large_.resize(columns);
  ByteRun in_constants{constants_.size()}, in_front{columns_.size()};
  std::size_t next = 0, block = 0;
  for (ColumnId column = 0; column < columns; ++column) {
    const std::int64_t count = lists.counts[column];
    if (count < 0 || static_cast<std::uint64_t>(count) > lists.places.size() - next)
      return fail(ErrorClass::kDamaged, "{}: column {} has {} runs, {} are left", kWhat, column, count,
                  lists.places.size() - next);
    for (std::int64_t i = 0; i < count; ++i, ++next) {
      DICUBE_ASSIGN(Chunk chunk, chunk_of(lists, next, max_rows_));
      switch (chunk.place) {
        case Place::kConstant: DICUBE_TRY(in_constants.take(chunk)); break;
        case Place::kFront: DICUBE_TRY(in_front.take(chunk)); break;
        case Place::kBlock: chunk.offset = static_cast<std::uint64_t>(lists.blocks[block++]); break;
        case Place::kSame: DICUBE_TRY(check_same(chunk, column, count)); break;
      }
      if (archive::is_large(chunk)) has_large_[column] = true;
      chunks_[column].push_back(chunk);
    }
  }
  if (next == lists.places.size() && in_constants.is_used_up() && in_front.is_used_up()) return {};
  return fail(ErrorClass::kDamaged, "{}: the columns' values end at {} and {} but there are {} and {} bytes", kWhat,
              in_constants.end, in_front.end, in_constants.size, in_front.size);
}

// Whether an earlier column has one run of its own, which a column of one run can share.
Status Metadata::check_same(const Chunk& chunk, ColumnId column, std::int64_t count) const {
  if (chunk.size < column && count == 1) {
    const std::vector<Chunk>& other = chunks_[chunk.size];
    if (other.size() == 1 && other[0].place != Place::kSame && other[0].rows == chunk.rows) return {};
  }
  return fail(ErrorClass::kDamaged, "{}: column {} can't have the values of column {}", kWhat, column, chunk.size);
}

const std::vector<Chunk>& Metadata::chunks(ColumnId column) const {
  const auto& own = chunks_[column];
  if (own.size() == 1 && own[0].place == Place::kSame) return chunks(static_cast<ColumnId>(own[0].size));
  return own;
}

std::uint64_t Metadata::rows(ColumnId column) const {
  std::uint64_t rows = 0;
  for (const Chunk& chunk : chunks(column)) rows += chunk.rows;
  return rows;
}

Result<std::shared_ptr<const Metadata::Run>> Metadata::run(ColumnId column, std::uint64_t row) const {
  Cached& cached = *cache_[column];
  {
    std::lock_guard lock(cached.mutex);
    if (cached.run && row >= cached.run->first && row - cached.run->first < cached.run->values.size())
      return cached.run;
  }
  const Found found = find(column, row);
  if (found.chunk == nullptr) return no_row(column, row);
  const Chunk& chunk = *found.chunk;
  Bytes block;
  ByteSpan encoded;
  if (chunk.place == Place::kBlock) {
    DICUBE_ASSIGN(block, blocks_.read(chunk.offset));
    if (block.size() != chunk.size)
      return fail(ErrorClass::kDamaged, "block {} has {} bytes, {} expected", chunk.offset, block.size(), chunk.size);
    encoded = block;
  } else {
    encoded = ByteSpan(chunk.place == Place::kConstant ? constants_ : columns_).subspan(chunk.offset, chunk.size);
  }
  auto run = std::make_shared<Run>();
  run->first = found.first;
  DICUBE_ASSIGN(run->values, columns::decode_values(encoded, chunk.rows, kMostValueBytes, kValues));
  std::lock_guard lock(cached.mutex);
  cached.run = run;
  return std::shared_ptr<const Run>(run);
}

Metadata::Found Metadata::find(ColumnId column, std::uint64_t row) const {
  std::uint64_t first = 0;
  for (const Chunk& chunk : chunks(column)) {
    if (row - first < chunk.rows) return {&chunk, first};
    first += chunk.rows;
  }
  return {};
}

tl::unexpected<Error> Metadata::no_row(ColumnId column, std::uint64_t row) const {
  return fail(ErrorClass::kDamaged, "column {} has {} rows, row {} is asked for", column, rows(column), row);
}

bool Metadata::is_large(ColumnId column, std::uint64_t row) const {
  if (!has_large_[column]) return false;
  const Found found = find(column, row);
  return found.chunk != nullptr && archive::is_large(*found.chunk);
}

Status Metadata::stream(ColumnId column, std::uint64_t row, const columns::ValueStream::Start& start) const {
  if (!is_large(column, row)) {
    DICUBE_ASSIGN(const auto values, run(column, row));
    const ByteSpan value = values->values[row - values->first];
    DICUBE_ASSIGN(const Sink sink, start(value.size()));
    return sink(value);
  }
  const Chunk& chunk = *find(column, row).chunk;
  columns::ValueStream value(chunk.size, kMostValueBytes, start, kValues);
  DICUBE_TRY(blocks_.read_pieces(chunk.offset, [&](ByteSpan piece) { return value.take(piece); }));
  return value.finish();
}

Result<ColumnId> Metadata::special(columns::ColumnKind kind) const {
  const auto& all = schema_.columns();
  for (ColumnId column = 0; column < all.size(); ++column) {
    if (all[column].kind != kind) continue;
    if (rows(column) != instances_)
      return fail(ErrorClass::kDamaged, "{}: column {} has {} rows for {} instances", kWhat, column, rows(column),
                  instances_);
    return column;
  }
  return fail(ErrorClass::kDamaged, "{}: the column of kind {} is missing", kWhat, static_cast<int>(kind));
}

Result<Roots> Metadata::roots(std::size_t instance) const {
  DICUBE_ASSIGN(auto column, special(columns::ColumnKind::kRoots));
  DICUBE_ASSIGN(auto values, run(column, instance));
  DICUBE_ASSIGN(auto roots, read_roots(values->values[instance - values->first]));
  const std::size_t layouts = schema_.layouts().size();
  if (roots.meta >= layouts || roots.data >= layouts)
    return fail(ErrorClass::kDamaged, "{}: instance {} has layouts {} and {} of {}", kWhat, instance, roots.meta,
                roots.data, layouts);
  return roots;
}

Result<std::vector<columns::Item>> Metadata::items(ByteSpan value) const {
  DICUBE_ASSIGN(auto items, columns::read_items(value));
  for (const columns::Item& item : items)
    if (item.layout >= schema_.layouts().size())
      return fail(ErrorClass::kDamaged, "{}: an item has layout {} of {}", kWhat, item.layout,
                  schema_.layouts().size());
  return items;
}

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
