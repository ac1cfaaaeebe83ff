#include "archive/metadata.h"

#include <algorithm>

#include "base/checked.h"
#include "columns/integers.h"
#include "columns/values.h"

namespace dicube::archive {
namespace {

constexpr std::string_view kWhat = "section 'SCHM'";
// Of a value that is never held, and of the rows of a column: neither overflows what it is added to.
constexpr std::uint64_t kMostStreamed = std::uint64_t{1} << 40, kMostRows = std::uint64_t{1} << 62;
constexpr std::string_view kValues = "a column's values";
constexpr std::uint64_t kLargeBlock = std::uint64_t{64} << 10;  // values that pack best have the largest in one

bool is_large(const Chunk& chunk) {
  return chunk.place == Place::kBlock && chunk.rows == 1 && chunk.size >= kLargeBlock;
}

// What the section says of the chunks: how many each column has; of all of them in turn the places, rows and sizes;
// and the blocks of those that are in some.
struct ChunkLists {
  std::vector<std::int64_t> counts, places, rows, sizes, blocks;
};

Result<ChunkLists> read_lists(ByteReader& in, std::size_t columns, std::uint64_t most) {
  ChunkLists lists;
  DICUBE_ASSIGN(lists.counts, columns::get_integers(in, columns));
  DICUBE_ASSIGN(const auto total, in.get_count(most, "runs of values"));
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

// The rows of a column.
std::uint64_t end_of(const std::vector<Chunk>& chunks) {
  return chunks.empty() ? 0 : chunks.back().first + chunks.back().rows;
}

// Its first row is the one behind those of the column's chunks before it.
Status place_behind(const std::vector<Chunk>& before, Chunk& chunk) {
  chunk.first = end_of(before);
  if (fits(chunk.first, chunk.rows, kMostRows)) return {};
  return fail(ErrorClass::kDamaged, "{}: a run of {} rows behind {} others", kWhat, chunk.rows, chunk.first);
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

Result<std::unique_ptr<Metadata>> Metadata::open(ByteSpan schema, Bytes columns, std::size_t instances, Limits limits,
                                                 Blocks blocks) {
  std::unique_ptr<Metadata> metadata(new Metadata);
  metadata->columns_ = std::move(columns);
  metadata->instances_ = instances;
  metadata->limits_ = limits;
  metadata->blocks_ = std::move(blocks);
  ByteReader in(schema, kWhat);
  DICUBE_ASSIGN(metadata->schema_, columns::Schema::read(in, limits.columns));
  DICUBE_TRY(metadata->read_chunks(in));
  const auto& all = metadata->schema_.columns();
  for (ColumnId column = 0; column < all.size(); ++column) {
    metadata->cache_.push_back(std::make_unique<Cached>());
    if (all[column].kind >= columns::ColumnKind::kName) metadata->special_.emplace(all[column].kind, column);
  }
  return metadata;
}

Status Metadata::read_chunks(ByteReader& in) {
  const std::size_t columns = schema_.columns().size();
  DICUBE_ASSIGN(const auto lists, read_lists(in, columns, limits_.runs));
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
      DICUBE_ASSIGN(Chunk chunk, chunk_of(lists, next, limits_.rows));
      DICUBE_TRY(place_behind(chunks_[column], chunk));
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

std::uint64_t Metadata::rows(ColumnId column) const { return end_of(chunks(column)); }

Result<std::shared_ptr<const Metadata::Run>> Metadata::run(ColumnId column, std::uint64_t row) const {
  Cached& cached = *cache_[column];
  {
    std::lock_guard lock(cached.mutex);
    if (cached.run && row >= cached.run->first && row - cached.run->first < cached.run->values.size())
      return cached.run;
  }
  const Chunk* const found = find(column, row);
  if (found == nullptr) return no_row(column, row);
  const Chunk& chunk = *found;
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
  run->first = chunk.first;
  DICUBE_ASSIGN(run->values, columns::decode_values(encoded, chunk.rows, limits_.bytes, kValues));
  std::lock_guard lock(cached.mutex);
  cached.run = run;
  return std::shared_ptr<const Run>(run);
}

const Chunk* Metadata::find(ColumnId column, std::uint64_t row) const {
  const std::vector<Chunk>& all = chunks(column);
  const auto behind = std::ranges::upper_bound(all, row, {}, &Chunk::first);
  return row < end_of(all) ? &*std::prev(behind) : nullptr;
}

tl::unexpected<Error> Metadata::no_row(ColumnId column, std::uint64_t row) const {
  return fail(ErrorClass::kDamaged, "column {} has {} rows, row {} is asked for", column, rows(column), row);
}

const Chunk* Metadata::find_large(ColumnId column, std::uint64_t row) const {
  if (!has_large_[column]) return nullptr;
  const Chunk* chunk = find(column, row);
  return chunk != nullptr && archive::is_large(*chunk) ? chunk : nullptr;
}

bool Metadata::is_large(ColumnId column, std::uint64_t row) const { return find_large(column, row) != nullptr; }

Status Metadata::stream(ColumnId column, std::uint64_t row, const columns::ValueStream::Start& start) const {
  const Chunk* chunk = find_large(column, row);
  if (chunk == nullptr) {
    DICUBE_ASSIGN(const auto values, run(column, row));
    const ByteSpan value = values->values[row - values->first];
    DICUBE_ASSIGN(const Sink sink, start(value.size()));
    return sink(value);
  }
  columns::ValueStream value(chunk->size, kMostStreamed, start, kValues);
  DICUBE_TRY(blocks_.read_pieces(chunk->offset, [&](ByteSpan piece) { return value.take(piece); }));
  return value.finish();
}

Result<ColumnId> Metadata::special(columns::ColumnKind kind) const {
  const auto found = special_.find(kind);
  if (found == special_.end())
    return fail(ErrorClass::kDamaged, "{}: the column of kind {} is missing", kWhat, static_cast<int>(kind));
  const ColumnId column = found->second;
  if (rows(column) != instances_)
    return fail(ErrorClass::kDamaged, "{}: column {} has {} rows for {} instances", kWhat, column, rows(column),
                instances_);
  return column;
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

}  // namespace dicube::archive
