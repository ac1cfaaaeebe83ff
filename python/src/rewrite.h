// Changing elements of a DICOM file and leaving every other byte as it is.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dicom/tokenizer.h"

namespace dicube::python {

// One top-level element's new value, little endian; no value: the element goes.
struct Edit {
  std::array<char, 2> vr = {0, 0};
  std::optional<Bytes> value;
  bool encapsulated = false;  // of pixel data: `value` is one fragment
};
using Edits = std::map<dicom::Tag, Edit>;

struct RewriteOptions {
  bool explicit_little = false;                // write the data set in Explicit VR Little Endian whatever it was
  std::optional<std::size_t> only_frame = {};  // of the Per-Frame Functional Groups keep this item
  std::string transfer_syntax = {};            // empty: as it was, unless the encoding changes
};

// `edits` may name elements of the file meta group, whose length and SOP UIDs are kept right. Group lengths (gggg,0000)
// of changed groups follow. What a deflated file holds comes out inflated.
Result<Bytes> rewrite(ByteSpan file, Edits edits, const RewriteOptions& options = {});

}  // namespace dicube::python
