// What a series' headers look like, without the values: columns and layouts.
//
// A column is an element as it is written (tag, VR, header form) at its place in the nesting of sequences. A layout is
// a data set or an item: its columns in order. Values of one column stand in the order of the instances and, inside an
// instance, of the bytes. A sequence's value says which layout each of its items has, so that every item in the
// series with the same elements shares one layout.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "columns/integers.h"

namespace dicube::columns {

using ColumnId = std::uint32_t;
using LayoutId = std::uint32_t;
constexpr ColumnId kNoParent = 0xFFFFFFFF;

// ON DISK: DO NOT CHANGE.
enum class ColumnKind : std::uint8_t {
  kElement = 0,    // a value
  kSequence = 1,   // an item list
  kPixels = 2,     // native pixel data kept as frames: its value is what follows the last frame (padding)
  kFragments = 3,  // encapsulated pixel data kept as frames: a description of its fragments
  kName = 4,       // the file's relative name
  kPreamble = 5,   // bytes before the meta group
  kTail = 6,       // bytes behind the last element
  kRoots = 7,      // how the instance is put together, see archive/shred.h
};

struct ColumnKey {
  ColumnId parent = kNoParent;  // the sequence it is in
  ColumnKind kind = ColumnKind::kElement;
  std::uint8_t form = 0;          // dicom::HeaderForm
  std::uint8_t encoding = 0;      // dicom::Encoding
  bool undefined_length = false;  // of kFragments: a sequence delimitation ends them
  std::array<char, 2> vr = {0, 0};
  std::uint16_t reserved = 0;
  std::uint32_t tag = 0;
  friend auto operator<=>(const ColumnKey&, const ColumnKey&) = default;
};

using Layout = std::vector<ColumnId>;

// One item of a sequence's value.
struct Item {
  LayoutId layout = 0;
  bool undefined_length = false;
  bool big_endian = false;  // of the item's own header
};

Bytes write_items(const std::vector<Item>& items);
Result<std::vector<Item>> read_items(ByteSpan value);

// Columns and layouts by number. A parent's number is lower than its children's.
class Schema {
 public:
  // The number of this column or layout; a new one when it was not there.
  ColumnId intern(const ColumnKey& key);
  LayoutId intern(const Layout& layout);
  const std::vector<ColumnKey>& columns() const { return columns_; }
  const std::vector<Layout>& layouts() const { return layouts_; }

  void write(ByteWriter& out, ListForm form = ListForm::kShort) const;
  // Checks that every number names something, and parents come first. `most`: columns, layouts, and a quarter of the
  // layouts' elements.
  static Result<Schema> read(ByteReader& in, std::uint64_t most);

 private:
  std::vector<ColumnKey> columns_;
  std::vector<Layout> layouts_;
  std::map<ColumnKey, ColumnId> column_ids_;  // empty after read
  std::map<Layout, LayoutId> layout_ids_;
};

}  // namespace dicube::columns
