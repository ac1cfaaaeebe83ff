#include "archive/element_value.h"

#include <algorithm>

#include "dicom/tags.h"
#include "dicom/value.h"

namespace dicube::archive {

dicom::CharacterSet charset_of(const std::vector<Element>& elements, const dicom::CharacterSet& inherited) {
  const auto own = std::ranges::find(elements, dicom::kSpecificCharacterSet, &Element::tag);
  return own == elements.end() ? inherited : dicom::CharacterSet(dicom::trimmed(own->value));
}

}  // namespace dicube::archive
