#include "archive/metadata.h"

#include "base/parallel.h"
#include "columns/integers.h"
#include "columns/packed.h"
#include "columns/value_stream.h"
#include "columns/values.h"

namespace dicube::archive {
namespace {

// Values of a column are coded and stored when so many bytes have come together, so that packing holds no more than
// this of each column. Short ones are stored while numbers in texts are still looked for (columns/values.cc, kSmall).
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kShortBytes = std::size_t{127} << 10;
constexpr std::size_t kShort = 128;  // bytes of a value, on average
// Encoded values over this size stand in a block, so that the front stays short.
constexpr std::size_t kFrontBytes = std::size_t{16} << 10;

// What section "SCHM" says of the columns' values, but for the constants themselves.
struct ChunkTable {
  std::vector<std::int64_t> counts;  // per column
  std::vector<Chunk> chunks;

  void write(ByteWriter& out, columns::ListForm form) const {
    const auto put_field = [&](auto get) {
      std::vector<std::int64_t> numbers;
      numbers.reserve(chunks.size());
      for (const Chunk& chunk : chunks) numbers.push_back(static_cast<std::int64_t>(get(chunk)));
      columns::put_integers(numbers, out, form);
    };
    columns::put_integers(counts, out, form);
    out.put_varint(chunks.size());
    put_field([](const Chunk& chunk) { return chunk.place; });
    put_field([](const Chunk& chunk) { return chunk.rows; });
    put_field([](const Chunk& chunk) { return chunk.size; });
    std::vector<std::int64_t> blocks;
    for (const Chunk& chunk : chunks)
      if (chunk.place == Place::kBlock) blocks.push_back(static_cast<std::int64_t>(chunk.offset));
    columns::put_integers(blocks, out, form);
  }
};

bool is_full(const columns::ValueList& values) {
  const std::size_t bytes = values.byte_count();
  return bytes > (bytes < values.size() * kShort ? kShortBytes : kChunkBytes);
}

}  // namespace

Status MetadataBuilder::push(ColumnId column, ByteSpan value) {
  if (value.size() > kLargeBytes) {
    DICUBE_ASSIGN(const Chunk coded, code(value.size(), [&](const Sink& sink) { return sink(value); }));
    return push(column, coded);
  }
  if (values_.size() <= column) values_.resize(std::size_t{column} + 1);
  Values& values = values_[column];
  values.pending.push(value);
  if (is_full(values.pending)) return flush_large(values);
  return {};
}

Status MetadataBuilder::push(ColumnId column, const Chunk& value) {
  if (values_.size() <= column) values_.resize(std::size_t{column} + 1);
  Values& values = values_[column];
  if (!values.pending.empty()) DICUBE_TRY(flush_large(values));
  values.chunks.push_back(value);
  return {};
}

Result<Chunk> MetadataBuilder::code(std::uint64_t size, const Pieces& value) {
  const auto add = [&](columns::Density density) -> Result<std::uint64_t> {
    DICUBE_TRY(blocks_.add([&](const Sink& sink) { return columns::zstd_compress(value, size, sink, density); }));
    return blocks_.size(blocks_.count() - 1);
  };
  DICUBE_ASSIGN(auto packed, add(columns::Density::kMost));
  if (size > columns::most_unpacked(packed)) {
    blocks_.drop_last();
    DICUBE_ASSIGN(packed, add(columns::Density::kReadable));
  }
  DICUBE_TRY(blocks_.put_before_last(columns::value_head(size, packed)));
  const std::uint64_t block = blocks_.count() - 1;
  return Chunk{Place::kBlock, 1, blocks_.size(block), block};
}

Result<std::uint64_t> MetadataBuilder::store_block(Bytes encoded) {
  DICUBE_TRY(blocks_.add(std::move(encoded)));
  return blocks_.count() - 1;
}

Status MetadataBuilder::flush_large(Values& values) {
  Bytes encoded = columns::encode_values(values.pending);
  const std::size_t rows = values.pending.size(), size = encoded.size();
  values.pending.clear();
  DICUBE_ASSIGN(auto block, store_block(std::move(encoded)));
  values.chunks.push_back({Place::kBlock, rows, size, block});
  return {};
}

Result<Chunk> MetadataBuilder::place(ColumnId column, Bytes encoded, Seen& seen, ByteWriter& constants,
                                     ByteWriter& front) {
  const Values& values = values_[column];
  Chunk chunk{Place::kFront, values.pending.size(), encoded.size(), 0};
  if (encoded.size() > kFrontBytes) {
    chunk.place = Place::kBlock;
    DICUBE_ASSIGN(chunk.offset, store_block(std::move(encoded)));
    return chunk;
  }
  if (columns::is_constant(encoded)) {
    chunk.place = Place::kConstant;
    constants.put_bytes(encoded);
    return chunk;
  }
  const bool whole = values.chunks.empty();
  const auto twin = seen.find(encoded);
  if (whole && twin != seen.end() && twin->second.second == chunk.rows) {
    chunk.place = Place::kSame;
    chunk.size = twin->second.first;
    return chunk;
  }
  front.put_bytes(encoded);
  if (whole) seen.emplace(std::move(encoded), std::pair(column, chunk.rows));
  return chunk;
}

Result<MetadataBuilder::Sections> MetadataBuilder::finish(std::uint64_t first_block, unsigned threads) {
  values_.resize(schema_.columns().size());
  std::vector<Bytes> rests(values_.size());  // encoded
  parallel_for(values_.size(), threads, [&](std::size_t column, unsigned) {
    if (!values_[column].pending.empty()) rests[column] = columns::encode_values(values_[column].pending);
  });
  ByteWriter constants, front;
  ChunkTable table;
  Seen seen;
  for (ColumnId column = 0; column < values_.size(); ++column) {
    Values& values = values_[column];
    if (!values.pending.empty()) {
      DICUBE_ASSIGN(const Chunk chunk, place(column, std::move(rests[column]), seen, constants, front));
      values.chunks.push_back(chunk);
    }
    table.counts.push_back(static_cast<std::int64_t>(values.chunks.size()));
    for (const Chunk& chunk : values.chunks) {
      table.chunks.push_back(chunk);
      if (chunk.place == Place::kBlock) table.chunks.back().offset += first_block;
    }
    values = {};
  }
  const auto written = [&](columns::ListForm form) {
    ByteWriter out;
    schema_.write(out, form);
    table.write(out, form);
    out.put_bytes(constants.bytes());
    return out.take();
  };
  return Sections{{written(columns::ListForm::kShort), written(columns::ListForm::kForPacking)}, front.take()};
}

}  // namespace dicube::archive
