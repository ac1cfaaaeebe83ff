#include "archive/element_value.h"

#include <algorithm>

#include "dicom/header.h"
#include "dicom/tags.h"
#include "dicom/value.h"

namespace dicube::archive {

ByteSpan element_value(const columns::ColumnKey& key, ByteSpan kept) {
  constexpr std::size_t kDelimitation = 8;
  if (key.kind != columns::ColumnKind::kElement || !key.undefined_length || kept.size() < kDelimitation) return kept;
  const std::size_t end = kept.size() - kDelimitation;
  const auto ends_in = [&](dicom::Encoding encoding) {  // it need not be that of the header
    return dicom::load_tag(kept, end, encoding) == dicom::kSequenceDelimitation;
  };
  const bool is_delimited = ends_in(dicom::Encoding::kExplicitLittle) || ends_in(dicom::Encoding::kExplicitBig);
  return is_delimited ? kept.first(end) : kept;
}

dicom::CharacterSet charset_of(const std::vector<Element>& elements, const dicom::CharacterSet& inherited) {
  const auto own = std::ranges::find(elements, dicom::kSpecificCharacterSet, &Element::tag);
  return own == elements.end() ? inherited : dicom::CharacterSet(dicom::trimmed(own->value));
}

}  // namespace dicube::archive
