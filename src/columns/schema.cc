#include "columns/schema.h"

namespace dicube::columns {
namespace {

// ON DISK: DO NOT CHANGE. Kind, form, encoding and length form in one number.
std::int64_t flags_of(const ColumnKey& key) {
  return static_cast<std::int64_t>(static_cast<unsigned>(key.kind) | unsigned{key.form} << 3 |
                                   unsigned{key.encoding} << 5 | (key.undefined_length ? 1U << 7 : 0U));
}

Status set_flags(std::int64_t flags, ColumnKey& key) {
  const auto bits = static_cast<std::uint64_t>(flags);
  key.kind = static_cast<ColumnKind>(bits & 7);
  key.form = bits >> 3 & 3;
  key.encoding = bits >> 5 & 3;
  key.undefined_length = bits >> 7 & 1;
  if (bits > 255 || key.form > 2 || key.encoding > 2)
    return fail(ErrorClass::kDamaged, "section 'SCHM': unknown column flags {:#x}", bits);
  return {};
}

std::int64_t vr_number(const ColumnKey& key) {
  return static_cast<unsigned char>(key.vr[0]) << 8 | static_cast<unsigned char>(key.vr[1]);
}

template <class Get>
void put_field(const std::vector<ColumnKey>& columns, Get get, ByteWriter& out, ListForm form) {
  std::vector<std::int64_t> numbers;
  numbers.reserve(columns.size());
  for (const ColumnKey& key : columns) numbers.push_back(get(key));
  put_integers(numbers, out, form);
}

Status check_range(std::int64_t number, std::int64_t most, std::string_view what) {
  if (number >= 0 && number <= most) return {};
  return fail(ErrorClass::kDamaged, "section 'SCHM': {} as {}, at most {} possible", number, what, most);
}

constexpr std::uint64_t kMostElements = 4;  // of all layouts, for each column there may be: spec/format.md, limits
constexpr unsigned kMaxDepth = 64;          // nested sequences, as the tokenizer's

// Appends the column's depth to `depths`.
Status check_column(const ColumnKey& key, ColumnId id, const std::vector<ColumnKey>& columns,
                    std::vector<unsigned>& depths) {
  depths.push_back(key.parent < id ? depths[key.parent] + 1 : 0);
  if (depths.back() > kMaxDepth)
    return fail(ErrorClass::kLimit, "section 'SCHM': column {} is {} sequences deep, at most {} possible", id,
                depths.back(), kMaxDepth);
  if (key.parent == kNoParent) return {};
  if (key.parent >= id || columns[key.parent].kind != ColumnKind::kSequence)
    return fail(ErrorClass::kDamaged, "section 'SCHM': column {} is inside column {}, which is no sequence before it",
                id, key.parent);
  return {};
}

// Of file names, preambles, tails and roots there is one column each. `seen`: a bit per kind.
Status check_kind(ColumnKind kind, unsigned& seen) {
  const unsigned bit = 1U << static_cast<unsigned>(kind);
  if (kind >= ColumnKind::kName && (seen & bit) != 0)
    return fail(ErrorClass::kDamaged, "section 'SCHM': two columns of kind {}", static_cast<int>(kind));
  seen |= bit;
  return {};
}

Result<Layout> read_layout(ByteReader& in, std::size_t size, std::size_t columns) {
  DICUBE_ASSIGN(const auto ids, get_integers(in, size));
  Layout layout;
  layout.reserve(size);
  for (const std::int64_t id : ids) {
    if (id < 0 || static_cast<std::uint64_t>(id) >= columns)
      return fail(ErrorClass::kDamaged, "section 'SCHM': a layout names column {} of {}", id, columns);
    layout.push_back(static_cast<ColumnId>(id));
  }
  return layout;
}

}  // namespace

Bytes write_items(const std::vector<Item>& items) {
  ByteWriter out;
  for (const Item& item : items)
    out.put_varint(std::uint64_t{item.layout} << 2 | (item.big_endian ? 2U : 0U) | (item.undefined_length ? 1U : 0U));
  return out.take();
}

Result<std::vector<Item>> read_items(ByteSpan value) {
  std::vector<Item> items;
  ByteReader in(value, "an item list");
  while (in.left() > 0) {
    DICUBE_ASSIGN(auto number, in.get_count(std::uint64_t{0xFFFFFFFF} << 2 | 3, "as an item's layout"));
    items.push_back({static_cast<LayoutId>(number >> 2), (number & 1) != 0, (number & 2) != 0});
  }
  return items;
}

ColumnId Schema::intern(const ColumnKey& key) {
  auto [found, is_new] = column_ids_.try_emplace(key, static_cast<ColumnId>(columns_.size()));
  if (is_new) columns_.push_back(key);
  return found->second;
}

LayoutId Schema::intern(const Layout& layout) {
  auto [found, is_new] = layout_ids_.try_emplace(layout, static_cast<LayoutId>(layouts_.size()));
  if (is_new) layouts_.push_back(layout);
  return found->second;
}

void Schema::write(ByteWriter& out, ListForm form) const {
  const auto put = [&](auto get) { put_field(columns_, get, out, form); };
  out.put_varint(columns_.size());
  put([](const ColumnKey& key) { return std::int64_t{key.parent + 1}; });
  put([](const ColumnKey& key) { return std::int64_t{key.tag}; });
  put(flags_of);
  put(vr_number);
  put([](const ColumnKey& key) { return std::int64_t{key.reserved}; });
  out.put_varint(layouts_.size());
  for (const Layout& layout : layouts_) {
    out.put_varint(layout.size());
    put_integers(std::vector<std::int64_t>(layout.begin(), layout.end()), out, form);
  }
}

Result<Schema> Schema::read(ByteReader& in, std::uint64_t most) {
  Schema schema;
  DICUBE_ASSIGN(auto count, in.get_count(most, "columns"));
  DICUBE_ASSIGN(auto parents, get_integers(in, count));
  DICUBE_ASSIGN(auto tags, get_integers(in, count));
  DICUBE_ASSIGN(auto flags, get_integers(in, count));
  DICUBE_ASSIGN(auto vrs, get_integers(in, count));
  DICUBE_ASSIGN(auto reserved, get_integers(in, count));
  schema.columns_.resize(count);
  std::vector<unsigned> depths;
  unsigned kinds = 0;
  for (ColumnId id = 0; id < count; ++id) {
    ColumnKey& key = schema.columns_[id];
    DICUBE_TRY(check_range(parents[id], 0xFFFFFFFF, "a parent"));
    DICUBE_TRY(check_range(tags[id], 0xFFFFFFFF, "a tag"));
    DICUBE_TRY(check_range(vrs[id], 0xFFFF, "a VR"));
    DICUBE_TRY(check_range(reserved[id], 0xFFFF, "a header's reserved bits"));
    key.parent = static_cast<ColumnId>(parents[id]) - 1;
    key.tag = static_cast<std::uint32_t>(tags[id]);
    key.vr = {static_cast<char>(vrs[id] >> 8), static_cast<char>(vrs[id])};
    key.reserved = static_cast<std::uint16_t>(reserved[id]);
    DICUBE_TRY(set_flags(flags[id], key));
    DICUBE_TRY(check_kind(key.kind, kinds));
    DICUBE_TRY(check_column(key, id, schema.columns_, depths));
  }
  DICUBE_ASSIGN(auto layouts, in.get_count(most, "layouts"));
  std::uint64_t elements = 0;
  for (std::uint64_t i = 0; i < layouts; ++i) {
    DICUBE_ASSIGN(auto size, in.get_count(kMostElements * most - elements, "elements of a layout"));
    elements += size;
    DICUBE_ASSIGN(auto layout, read_layout(in, size, count));
    schema.layouts_.push_back(std::move(layout));
  }
  return schema;
}

}  // namespace dicube::columns
