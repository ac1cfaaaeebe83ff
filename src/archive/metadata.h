// Writing and reading all the headers of a series: schema, values, and which rows belong to which instance.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "archive/spool.h"
#include "columns/schema.h"
#include "columns/value_list.h"
#include "columns/value_stream.h"

namespace dicube::archive {

using columns::ColumnId;
using columns::ColumnKey;
using columns::LayoutId;

// ON DISK: DO NOT CHANGE. Where a run of a column's values stands.
enum class Place : std::uint8_t {
  kConstant = 0,  // in the section "SCHM", behind the schema
  kFront = 1,     // in the section "COLS"
  kBlock = 2,     // in a block of its own in "DATA": bulk values
  kSame = 3,      // the same values as an earlier column's
};

struct Chunk {
  Place place = Place::kConstant;
  std::uint64_t rows = 0;
  std::uint64_t size = 0;    // bytes of the encoded values; kSame: the other column's number
  std::uint64_t offset = 0;  // in its section; kBlock: the block's number. Follows from the sizes.
  std::uint64_t first = 0;   // its first row in the column. Follows from the rows; set where chunks are read.
};

// The first value of the column kRoots, one per instance: its two data sets, and how the file follows from them.
struct Roots {
  LayoutId meta = 0, data = 0;
  std::uint8_t encoding = 0;  // dicom::Encoding of the data set
  bool kept = false;          // the file is the value of kTail alone; the data sets are there for queries only
};
Bytes write_roots(const Roots& roots);
Result<Roots> read_roots(ByteSpan value);

// Collects values column by column.
class MetadataBuilder {
 public:
  // `blocks`: where blocks of encoded bulk values are put by. It must outlive the builder.
  explicit MetadataBuilder(Spool& blocks) : blocks_(blocks) {}

  // Larger values are coded one by one, as they come.
  static constexpr std::uint64_t kLargeBytes = std::uint64_t{32} << 20;

  columns::Schema& schema() { return schema_; }
  // The next value of a column.
  Status push(ColumnId column, ByteSpan value);

  // Codes a value of `size` bytes that memory never holds: asked for twice where it packs too well to stay packed.
  Result<Chunk> code(std::uint64_t size, const Pieces& value);
  // The next value of a column, which was coded.
  Status push(ColumnId column, const Chunk& value);

  struct Sections {
    std::array<Bytes, 2> schema;  // the same in two forms, to be packed: which one gets shorter only packing tells
    Bytes columns;
  };
  // `first_block`: the number that the first of the blocks gets in the archive.
  Result<Sections> finish(std::uint64_t first_block, unsigned threads);

 private:
  struct Values {
    columns::ValueList pending;
    std::vector<Chunk> chunks;
  };
  // Encoded values -> the first column that has them, and its rows.
  using Seen = std::map<Bytes, std::pair<ColumnId, std::uint64_t>>;
  Status flush_large(Values& values);
  // What is left of a column, as its last chunk: where it is shortest.
  Result<Chunk> place(ColumnId column, Bytes encoded, Seen& seen, ByteWriter& constants, ByteWriter& front);
  Result<std::uint64_t> store_block(Bytes encoded);
  Spool& blocks_;
  columns::Schema schema_;
  std::vector<Values> values_;
};

// What a MetadataBuilder wrote, read column by column on demand. Safe for several threads.
class Metadata {
 public:
  struct Blocks {
    std::function<Result<Bytes>(std::uint64_t block)> read;
    std::function<Status(std::uint64_t block, const Sink& sink)> read_pieces;
  };
  // What an archive can hold at most: memory is made for no more (spec/format.md, limits).
  struct Limits {
    std::uint64_t columns;  // and layouts
    std::uint64_t runs;     // of values, in all
    std::uint64_t rows;     // of a run
    std::uint64_t bytes;    // of a run's values, where they are made of fewer
  };
  // `schema`: the unpacked section.
  static Result<std::unique_ptr<Metadata>> open(ByteSpan schema, Bytes columns, std::size_t instances, Limits limits,
                                                Blocks blocks);

  const columns::Schema& schema() const { return schema_; }
  std::size_t instances() const { return instances_; }

  // All values of a run of rows that holds `row`; kept for the next call.
  struct Run {
    columns::ValueList values;
    std::uint64_t first = 0;  // row of values[0]
  };
  Result<std::shared_ptr<const Run>> run(ColumnId column, std::uint64_t row) const;

  // A row that may be too large to be held: whether it is a run by itself, of a block; and its value, never kept. What
  // the sink has got is worth nothing when there is an error in the end.
  bool is_large(ColumnId column, std::uint64_t row) const;
  Status stream(ColumnId column, std::uint64_t row, const columns::ValueStream::Start& start) const;

  std::uint64_t rows(ColumnId column) const;

  // Rows [begin, end) of the column belong to this instance.
  struct Range {
    std::uint64_t begin, end;
  };
  Result<Range> range(ColumnId column, std::size_t instance) const;

  // Reads rows of one column one after another, without a lock for each.
  class Cursor;

  // The single value per instance of a column kName .. kRoots.
  Result<ColumnId> special(columns::ColumnKind kind) const;
  Result<Roots> roots(std::size_t instance) const;
  // Items of a sequence's value, each layout checked to exist.
  Result<std::vector<columns::Item>> items(ByteSpan value) const;
  // Whether all rows of the column have the same bytes and every instance has one row.
  Result<bool> is_constant(ColumnId column) const;

 private:
  // Row ranges of a column: the same number of rows in every instance; else where each begins; or, so that a column of
  // one file takes no memory for all others, where those begin that have any.
  struct RowMap {
    struct Begin {
      std::size_t instance;
      std::uint64_t row;
    };
    std::uint64_t each = 0;
    std::vector<std::uint64_t> begins;  // instances + 1, or empty
    std::vector<Begin> few;             // by instance, and one behind; or empty
    bool is_even() const { return begins.empty() && few.empty(); }
    Range range(std::size_t instance) const;
  };
  // An instance that has rows of a column, or items of a layout, and how many.
  struct Count {
    std::size_t instance;
    std::uint64_t times;
  };
  // Where layouts stand: as data sets, or as items of one sequence. By layout, then by instance.
  struct Placed {
    LayoutId layout;
    Count count;
  };
  using Places = std::vector<Placed>;
  struct Cached {
    std::mutex mutex;
    std::shared_ptr<const Run> run;
    std::shared_ptr<const RowMap> map;
    std::shared_ptr<const Places> places;  // of a sequence's items
  };
  // How often each column stands in which layouts: those of column c are uses[begins[c]] to uses[begins[c + 1] - 1], by
  // layout.
  struct Uses {
    struct Use {
      LayoutId layout;
      std::uint32_t times;
    };
    std::vector<std::size_t> begins;
    std::vector<Use> uses;
    std::span<const Use> of(ColumnId column) const;
    std::uint64_t times(ColumnId column, LayoutId layout) const;
  };
  Metadata() = default;
  const Uses& uses() const;
  Status read_chunks(ByteReader& in);
  Status check_same(const Chunk& chunk, ColumnId column, std::int64_t count) const;
  Result<std::shared_ptr<const RowMap>> row_map(ColumnId column) const;
  // The same number in every instance, if that can be told without looking at each.
  Result<std::optional<std::uint64_t>> even_rows(ColumnId column) const;
  Result<std::vector<Count>> rows_per_instance(ColumnId column) const;
  Result<Places> places_of_roots() const;
  Result<Places> places_of_items(ColumnId sequence) const;
  Result<std::shared_ptr<const Places>> places(ColumnId parent) const;
  const std::vector<Chunk>& chunks(ColumnId column) const;
  const Chunk* find(ColumnId column, std::uint64_t row) const;        // nullptr: there is no such row
  const Chunk* find_large(ColumnId column, std::uint64_t row) const;  // nullptr: it is not, or there is no such row
  tl::unexpected<Error> no_row(ColumnId column, std::uint64_t row) const;

  columns::Schema schema_;
  std::vector<std::vector<Chunk>> chunks_;
  std::vector<bool> has_large_;  // by column
  std::map<columns::ColumnKind, ColumnId> special_;
  Bytes constants_, columns_;
  std::size_t instances_ = 0;
  Limits limits_{};
  Blocks blocks_;
  mutable std::vector<std::unique_ptr<Cached>> cache_;
  mutable Cached roots_;
  mutable std::once_flag uses_once_;
  mutable Uses uses_;
};

class Metadata::Cursor {
 public:
  Cursor(const Metadata& metadata, ColumnId column) : metadata_(&metadata), column_(column) {}

  ColumnId column() const { return column_; }
  // Valid until the next call.
  Result<ByteSpan> value(std::uint64_t row) {
    if (!run_ || row < run_->first || row - run_->first >= run_->values.size()) {
      DICUBE_ASSIGN(run_, metadata_->run(column_, row));
    }
    return run_->values[row - run_->first];
  }
  Result<Range> range(std::size_t instance) {
    if (!map_) {
      DICUBE_ASSIGN(map_, metadata_->row_map(column_));
    }
    return map_->range(instance);
  }

 private:
  const Metadata* metadata_;
  ColumnId column_;
  std::shared_ptr<const Run> run_;
  std::shared_ptr<const RowMap> map_;
};

}  // namespace dicube::archive
