// The values of one element, for every instance or every frame.
#include <algorithm>
#include <set>

#include "archive/element_value.h"
#include "archive/functional_groups.h"
#include "archive/path.h"
#include "archive/state.h"
#include "archive/walk.h"
#include "dicom/dictionary.h"
#include "dicom/tags.h"
#include "dicom/value.h"

namespace dicube {
namespace {

using archive::Metadata;
using columns::ColumnId;
using columns::ColumnKind;

// A value in one instance; the bytes are another's.
struct Cell {
  ByteSpan value;
  const columns::ColumnKey* key;  // the schema's
};

// Of one instance after another the first row, when the path names no items.
class FirstValues {
 public:
  FirstValues(const Metadata& metadata, const std::vector<ColumnId>& columns) : metadata_(metadata) {
    for (ColumnId column : columns) cursors_.emplace_back(metadata, column);
  }
  // Valid until the next call.
  Result<std::optional<Cell>> of(std::size_t instance) {
    for (Metadata::Cursor& cursor : cursors_) {
      DICUBE_ASSIGN(const auto range, cursor.range(instance));
      if (range.begin == range.end) continue;
      DICUBE_ASSIGN(const auto value, cursor.value(range.begin));
      const columns::ColumnKey& key = metadata_.schema().columns()[cursor.column()];
      return std::optional(Cell{archive::element_value(key, value), &key});
    }
    return std::optional<Cell>();
  }

 private:
  const Metadata& metadata_;
  std::vector<Metadata::Cursor> cursors_;
};

// Follows item numbers through one instance.
class ItemFinder : public archive::Visitor {
 public:
  explicit ItemFinder(const std::vector<archive::Step>& path) : path_(path) {}
  struct Found {
    Bytes value;
    const columns::ColumnKey* key;
  };
  std::optional<Found> found;

  Status begin_data_set() override { return {}; }
  Status element(const columns::ColumnKey& key, ByteSpan kept) override {
    const ByteSpan value = archive::element_value(key, kept);
    if (!found && is_wanted(key)) found = Found{Bytes(value.begin(), value.end()), &key};
    return {};
  }
  Status begin_sequence(const columns::ColumnKey& key) override {
    if (!found && is_wanted(key)) found = Found{{}, &key};  // there, and no value of its own
    items_.push_back(0);
    return {};
  }
  Status begin_item(const columns::ColumnKey& key, const columns::Item&) override {
    const bool on_path = matching_ == depth_ && depth_ + 1 < path_.size() && key.tag == path_[depth_].tag &&
                         path_[depth_].item.value_or(0) == items_.back();
    ++items_.back();
    ++depth_;
    if (on_path) matching_ = depth_;
    return {};
  }
  Status end_item(const columns::ColumnKey&, const columns::Item&) override {
    if (matching_ == depth_) --matching_;
    --depth_;
    return {};
  }
  Status end_sequence(const columns::ColumnKey&) override {
    items_.pop_back();
    return {};
  }

 private:
  bool is_wanted(const columns::ColumnKey& key) const {
    return depth_ + 1 == path_.size() && matching_ == depth_ && key.tag == path_[depth_].tag;
  }

  const std::vector<archive::Step>& path_;
  std::size_t depth_ = 0, matching_ = 0;  // matching_: how many levels from the root are on the path
  std::vector<std::size_t> items_;
};

// Of one instance after another the value at a path; items without a number are the first ones.
class ValuesAtPath {
 public:
  ValuesAtPath(const Metadata& metadata, const std::vector<archive::Step>& path) : metadata_(metadata), path_(path) {}
  // Valid until the next call.
  Result<std::optional<Cell>> of(std::size_t instance) {
    ItemFinder finder(path_);
    DICUBE_TRY(archive::walk(metadata_, instance, finder));
    if (!finder.found) return std::optional<Cell>();
    value_ = std::move(finder.found->value);
    return std::optional(Cell{value_, finder.found->key});
  }

 private:
  const Metadata& metadata_;
  const std::vector<archive::Step>& path_;
  Bytes value_;
};

// Of each instance what holds at the path: an item's own `tag`, else that of what holds the item; without padding. One
// alone: of all.
Result<std::vector<std::string>> inherited_values(const Metadata& metadata, std::vector<archive::Step> path,
                                                  dicom::Tag tag) {
  std::vector<std::string> values;
  std::vector<bool> found_here;
  for (bool at_root = false; !at_root; path.pop_back()) {
    at_root = path.size() == 1;
    path.back() = {tag, {}};
    const auto columns = archive::find_columns(metadata.schema(), path);
    if (!columns.empty()) {
      DICUBE_ASSIGN(const bool constant, metadata.is_constant(columns[0]));
      const bool one = at_root && values.empty() && constant;
      values.resize(one ? 1 : metadata.instances());
      found_here.resize(values.size());
      FirstValues first_values(metadata, columns);
      ValuesAtPath values_at_path(metadata, path);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (found_here[i]) continue;
        DICUBE_ASSIGN(const auto found, at_root ? first_values.of(i) : values_at_path.of(i));
        if (!found) continue;
        values[i] = dicom::trimmed(found->value);
        found_here[i] = true;
      }
    }
  }
  return values;
}

// PS3.3 C.12.1.1.2.
Result<std::vector<std::string>> character_sets(const Metadata& metadata, const std::vector<archive::Step>& path) {
  return inherited_values(metadata, path, dicom::kSpecificCharacterSet);
}

// A value's VR, by the Pixel Representation of its data set or item where that decides.
class VrOfValues {
 public:
  static Result<VrOfValues> at(const Metadata& metadata, const std::vector<archive::Step>& path) {
    VrOfValues vrs;
    if (!dicom::follows_pixel_representation(path.back().tag)) return vrs;
    DICUBE_ASSIGN(vrs.signs_, inherited_values(metadata, path, dicom::kPixelRepresentation));
    return vrs;
  }
  std::array<char, 2> operator()(const columns::ColumnKey& key, std::size_t instance) const {
    const bool is_signed = !signs_.empty() && !signs_[signs_.size() == 1 ? 0 : instance].empty();
    const std::string vr = archive::vr_of(key, is_signed);
    return {vr[0], vr[1]};
  }

 private:
  std::vector<std::string> signs_;  // zeros are padding: empty where it is 0
};

// From one per instance to one per row; one alone stays that of all.
std::vector<std::string> by_row(std::vector<std::string> charsets, const std::vector<std::size_t>& instance_of_row) {
  if (charsets.size() <= 1) return charsets;
  std::vector<std::string> out;
  for (const std::size_t instance : instance_of_row) out.push_back(charsets[instance]);
  return out;
}

}  // namespace

std::span<const std::byte> Column::bytes(std::size_t instance) const {
  const Row& row = rows_[instance];
  return std::span(bytes_).subspan(row.offset, row.size);
}

std::string_view Column::vr(std::size_t instance) const {
  const Row& row = rows_[instance];
  return row.present ? std::string_view(row.vr.data(), row.vr.size()) : std::string_view(vr_);
}

std::optional<std::string> Column::text(std::size_t instance) const {
  if (!is_present(instance)) return std::nullopt;
  const std::string charset = charsets_.empty()       ? std::string()
                              : charsets_.size() == 1 ? charsets_[0]
                                                      : charsets_[instance];
  const auto values =
      dicom::decode(bytes(instance), vr(instance), static_cast<dicom::Encoding>(rows_[instance].encoding),
                    dicom::CharacterSet(charset));
  return dicom::joined(values, vr(instance), "\\");
}

std::optional<double> Column::number(std::size_t instance) const {
  if (!is_present(instance)) return std::nullopt;
  return dicom::first_number(bytes(instance), vr(instance), static_cast<dicom::Encoding>(rows_[instance].encoding));
}

std::vector<double> Column::numbers(std::size_t instance) const {
  if (!is_present(instance)) return {};
  return dicom::numbers(bytes(instance), vr(instance), static_cast<dicom::Encoding>(rows_[instance].encoding));
}

void Column::add_row(std::span<const std::byte> value, std::uint8_t encoding, std::array<char, 2> vr) {
  rows_.push_back({bytes_.size(), value.size(), true, encoding, vr});
  append(bytes_, value);
}

bool Column::has_equal_rows() const {
  return !rows_.empty() && std::ranges::all_of(rows_, [&](const Row& row) {
    return row.present && row.encoding == rows_[0].encoding && row.vr == rows_[0].vr &&
           same_bytes(ByteSpan(bytes_).subspan(row.offset, row.size), bytes(0));
  });
}

// The VR of the whole, and whether it is constant, from the rows' VRs; `usual` where no row has one.
void Column::settle_vrs(std::string usual) {
  vr_ = std::move(usual);
  const auto first = std::ranges::find_if(rows_, &Row::present);
  if (first == rows_.end()) return;
  const auto sequence = std::ranges::find(rows_, std::array{'S', 'Q'}, &Row::vr);
  vr_.assign((sequence == rows_.end() ? first : sequence)->vr.data(), first->vr.size());
  constant_ = constant_ && std::ranges::all_of(rows_, [&](const Row& row) { return row.vr == first->vr; });
}

bool Column::has_text_of_charset() const {
  return std::ranges::any_of(rows_, [](const Row& row) {
    return row.present && dicom::is_affected_by_charset(std::string_view(row.vr.data(), row.vr.size()));
  });
}

Result<Column> ArchiveAccess::column(const Archive& archive, std::string_view text) {
  const Metadata& metadata = *archive.state_->metadata;
  DICUBE_ASSIGN(auto path, archive::parse_path(text));
  const auto columns = archive::find_columns(metadata.schema(), path);
  if (columns.empty()) return fail(ErrorClass::kNotFound, "no instance has {}", text);
  if (path.back().item && std::ranges::none_of(columns, [&](ColumnId column) {
        return metadata.schema().columns()[column].kind == ColumnKind::kSequence;
      }))
    return fail(ErrorClass::kUsage, "'{}' is no path: the element is no sequence and has no items", text);
  const bool by_item =
      std::any_of(path.begin(), path.end(), [](const auto& step) { return step.item.value_or(0) > 0; });
  Column out;
  out.tag_ = path.back().tag;
  DICUBE_ASSIGN(const VrOfValues vr_of, VrOfValues::at(metadata, path));
  DICUBE_ASSIGN(out.constant_, metadata.is_constant(columns[0]));
  out.constant_ = out.constant_ && columns.size() == 1;
  out.rows_.resize(metadata.instances());
  FirstValues first_values(metadata, columns);
  ValuesAtPath values_at_path(metadata, path);
  for (std::size_t i = 0; i < metadata.instances(); ++i) {
    DICUBE_ASSIGN(const auto found, by_item ? values_at_path.of(i) : first_values.of(i));
    if (!found) continue;
    out.rows_[i] = {out.bytes_.size(), found->value.size(), true, found->key->encoding, vr_of(*found->key, i)};
    if (out.constant_ && i > 0)
      out.rows_[i].offset = 0;
    else
      append(out.bytes_, found->value);
  }
  out.settle_vrs(archive::vr_of(metadata.schema().columns()[columns[0]]));
  if (out.has_text_of_charset()) {
    DICUBE_ASSIGN(out.charsets_, character_sets(metadata, path));
  }
  return out;
}

Result<Column> ArchiveAccess::frame_column(const Archive& archive, std::string_view text) {
  const Metadata& metadata = *archive.state_->metadata;
  DICUBE_ASSIGN(const auto path, archive::parse_path(text));
  const auto groups = archive::find_in_groups(metadata.schema(), path);
  auto plain = column(archive, text);
  if (!plain && (plain.error().error_class != ErrorClass::kNotFound || groups.empty())) return plain;
  Column out;
  out.tag_ = path.back().tag;
  DICUBE_ASSIGN(const VrOfValues vr_of, VrOfValues::at(metadata, path));
  std::vector<std::size_t> instance_of_row;
  for (std::size_t i = 0; i < metadata.instances(); ++i) {
    DICUBE_ASSIGN(const auto cells, archive::cells_of_frames(metadata, groups, i, archive.instances()[i].frames));
    for (std::size_t frame = 0; frame < cells.size(); ++frame) {
      instance_of_row.push_back(i);
      if (frame > 0 && cells[frame] == cells[frame - 1]) {  // what frames share is held once
        out.rows_.push_back(out.rows_.back());
      } else if (cells[frame]) {
        const columns::ColumnKey& key = metadata.schema().columns()[cells[frame]->column];
        DICUBE_ASSIGN(const auto run, metadata.run(cells[frame]->column, cells[frame]->row));
        const ByteSpan kept = run->values[cells[frame]->row - run->first];
        out.add_row(archive::element_value(key, kept), key.encoding, vr_of(key, i));
      } else if (plain && plain->is_present(i)) {
        out.add_row(plain->bytes(i), plain->rows_[i].encoding, plain->rows_[i].vr);
      } else {
        out.rows_.emplace_back();
      }
    }
  }
  out.settle_vrs(plain ? plain->vr_ : archive::vr_of(metadata.schema().columns()[groups[0].chain.back()]));
  if (out.has_text_of_charset()) {
    DICUBE_ASSIGN(auto charsets, character_sets(metadata, path));
    out.charsets_ = by_row(std::move(charsets), instance_of_row);
  }
  out.constant_ = out.has_equal_rows();
  return out;
}

Result<Column> Archive::column(std::string_view path) const {
  return state_->named(ArchiveAccess::column(*this, path));
}

Result<Column> Archive::frame_column(std::string_view path) const {
  return state_->named(ArchiveAccess::frame_column(*this, path));
}

std::vector<std::string> Archive::paths() const {
  std::vector<std::string> out;
  std::set<std::string> seen;
  const auto& schema = state_->metadata->schema();
  for (ColumnId id = 0; id < schema.columns().size(); ++id)
    if (schema.columns()[id].kind <= ColumnKind::kFragments) {
      std::string path = archive::format_path(schema, id);
      if (seen.insert(path).second) out.push_back(std::move(path));
    }
  return out;
}

}  // namespace dicube
