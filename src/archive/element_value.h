// An element's value as readers see it.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "columns/schema.h"
#include "dicom/charset.h"
#include "dicube/archive.h"

namespace dicube::archive {

// `kept`: as the archive keeps it. Of encapsulated pixels that are no frames, as an icon's in a sequence, that is
// through the sequence delimitation, where there is one (spec/format.md): a length in other words, no part of the
// value.
ByteSpan element_value(const columns::ColumnKey& key, ByteSpan kept);

// That of an item or data set: its own, where it has one, else that of what holds it (PS3.3 C.12.1.1.2).
dicom::CharacterSet charset_of(const std::vector<Element>& elements, const dicom::CharacterSet& inherited);

}  // namespace dicube::archive
