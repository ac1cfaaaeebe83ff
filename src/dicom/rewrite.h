// Changing elements of a DICOM file and leaving every other byte as it is.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dicom/tokenizer.h"

namespace dicube::dicom {

// One top-level element's new value, little endian; no value: the element goes.
struct Edit {
  std::array<char, 2> vr = {0, 0};
  std::optional<Bytes> value = {};
  std::vector<Bytes> frames = {};  // of encapsulated pixel data, instead of a value: one fragment each
  bool stays() const { return value || !frames.empty(); }
};
using Edits = std::map<Tag, Edit>;

struct RewriteOptions {
  std::optional<Encoding> encoding = {};       // write the data set so whatever it was. REQUIRES: little endian
  std::optional<std::size_t> only_frame = {};  // of the Per-Frame Functional Groups keep this item
  std::string transfer_syntax = {};            // empty: as it was, unless the encoding changes
};

Edit text_edit(std::array<char, 2> vr, std::string text);  // padded to even length
Edit number_edit(std::uint16_t number);                    // US

// `edits` may name elements of the file meta group, whose length and SOP UIDs are kept right. Group lengths (gggg,0000)
// of changed groups follow. What a deflated file holds comes out inflated. Bytes behind the data set stay unless its
// encoding is given. REQUIRES: frames are given with Encoding::kExplicitLittle.
Result<Bytes> rewrite(ByteSpan file, Edits edits, const RewriteOptions& options = {});

}  // namespace dicube::dicom
