// From an instance's tokens to values in columns.
#pragma once

#include "archive/metadata.h"
#include "archive/pixels.h"
#include "dicom/tokenizer.h"

namespace dicube::archive {

// One file ready to be added.
struct Shreddable {
  std::string_view name;
  ByteSpan file;                          // all its bytes
  const dicom::Tokens* tokens = nullptr;  // nullptr: no DICOM; the file is kept as it is
  const PixelPlan* pixels = nullptr;      // nullptr: no frames
  const Chunk* coded = nullptr;           // a file kept as it is that was coded before; `file` is empty then
};

// Adds one instance's values to the columns.
Status shred(const Shreddable& instance, MetadataBuilder& builder);

}  // namespace dicube::archive
