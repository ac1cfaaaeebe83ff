#include "archive/walk.h"

#include "dicom/dictionary.h"

namespace dicube::archive {
namespace {

using columns::ColumnKind;

// Recursion is bounded: an item may only hold columns whose parent is its sequence, and Schema::read bounds their
// depth.
class Walker {
 public:
  Walker(const Metadata& metadata, std::size_t instance, Visitor& visitor)
      : metadata_(metadata), instance_(instance), visitor_(visitor), used_(metadata.schema().columns().size()) {}

  Status data_set(LayoutId layout, ColumnId parent) {
    for (ColumnId column : metadata_.schema().layouts()[layout]) {
      const ColumnKey& key = metadata_.schema().columns()[column];
      if (key.parent != parent || key.kind > ColumnKind::kFragments)
        return fail(ErrorClass::kDamaged, "layout {} holds column {}, which belongs elsewhere", layout, column);
      DICUBE_ASSIGN(auto row, next_row(column));
      if (key.kind == ColumnKind::kElement && visitor_.takes_pieces() && metadata_.is_large(column, row)) {
        DICUBE_TRY(
            metadata_.stream(column, row, [&](std::uint64_t size) { return visitor_.begin_element(key, size); }));
        continue;
      }
      DICUBE_ASSIGN(auto run, metadata_.run(column, row));
      const ByteSpan value = run->values[row - run->first];
      DICUBE_TRY(key.kind == ColumnKind::kSequence ? sequence(column, key, value) : visitor_.element(key, value));
    }
    return {};
  }

 private:
  Result<std::uint64_t> next_row(ColumnId column) {
    DICUBE_ASSIGN(auto range, metadata_.range(column, instance_));
    const std::uint64_t row = range.begin + used_[column]++;
    if (row >= range.end)
      return fail(ErrorClass::kDamaged, "instance {} has {} rows of column {}, more are asked for", instance_,
                  range.end - range.begin, column);
    return row;
  }

  Status sequence(ColumnId column, const ColumnKey& key, ByteSpan value) {
    DICUBE_ASSIGN(auto items, metadata_.items(value));
    DICUBE_TRY(visitor_.begin_sequence(key));
    for (const columns::Item& item : items) {
      DICUBE_TRY(visitor_.begin_item(key, item));
      DICUBE_TRY(data_set(item.layout, column));
      DICUBE_TRY(visitor_.end_item(key, item));
    }
    return visitor_.end_sequence(key);
  }

  const Metadata& metadata_;
  std::size_t instance_;
  Visitor& visitor_;
  std::vector<std::uint64_t> used_;  // rows of this instance walked so far, per column
};

}  // namespace

Status walk(const Metadata& metadata, std::size_t instance, Visitor& visitor) {
  DICUBE_ASSIGN(auto roots, metadata.roots(instance));
  Walker walker(metadata, instance, visitor);
  DICUBE_TRY(visitor.begin_data_set());
  DICUBE_TRY(walker.data_set(roots.meta, columns::kNoParent));
  DICUBE_TRY(visitor.begin_data_set());
  return walker.data_set(roots.data, columns::kNoParent);
}

Result<Bytes> special_value(const Metadata& metadata, ColumnKind kind, std::size_t instance) {
  DICUBE_ASSIGN(auto column, metadata.special(kind));
  DICUBE_ASSIGN(auto run, metadata.run(column, instance));
  const ByteSpan value = run->values[instance - run->first];
  return Bytes(value.begin(), value.end());
}

std::string vr_of(const ColumnKey& key, bool is_signed) {
  if (key.kind == ColumnKind::kSequence) return "SQ";
  const std::string_view stated(key.vr.data(), 2);
  const bool is_stated = key.vr[0] != 0;
  if (is_stated && stated != "UN") return std::string(stated);
  if (is_signed && dicom::follows_pixel_representation(key.tag)) return "SS";
  const std::string_view standard = dicom::implicit_vr(key.tag);
  return std::string(is_stated && standard == "SQ" ? stated : standard);
}

dicom::Token header_of(const ColumnKey& key) {
  dicom::Token token;
  token.kind = key.kind == ColumnKind::kSequence    ? dicom::TokenKind::kSequence
               : key.kind == ColumnKind::kFragments ? dicom::TokenKind::kFragments
                                                    : dicom::TokenKind::kElement;
  token.form = static_cast<dicom::HeaderForm>(key.form);
  token.encoding = static_cast<dicom::Encoding>(key.encoding);
  token.undefined_length = key.undefined_length;
  token.vr = key.vr;
  token.reserved = key.reserved;
  token.tag = key.tag;
  return token;
}

}  // namespace dicube::archive
