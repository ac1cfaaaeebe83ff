// One instance's elements in file order, from the columns.
#pragma once

#include <string>

#include "archive/metadata.h"
#include "dicom/tokenizer.h"

namespace dicube::archive {

class Visitor {
 public:
  virtual ~Visitor() = default;
  // What follows is the file meta group, then (a second call) the data set.
  virtual Status begin_data_set() = 0;
  // Kinds kElement, kPixels and kFragments. `value` is valid during the call only.
  virtual Status element(const ColumnKey& key, ByteSpan value) = 0;
  // Whether the value of an element that may be too large to be held comes in pieces, now; then begin_element() says
  // where they go.
  virtual bool takes_pieces() const { return false; }
  virtual Result<Sink> begin_element(const ColumnKey&, std::uint64_t /*size*/) { return Sink(); }
  virtual Status begin_sequence(const ColumnKey& key) = 0;
  virtual Status begin_item(const ColumnKey& sequence, const columns::Item& item) = 0;
  virtual Status end_item(const ColumnKey& sequence, const columns::Item& item) = 0;
  virtual Status end_sequence(const ColumnKey& key) = 0;
};

Status walk(const Metadata& metadata, std::size_t instance, Visitor& visitor);

// The value of a column of one row per instance (kName to kTail).
Result<Bytes> special_value(const Metadata& metadata, columns::ColumnKind kind, std::size_t instance);

// The VR as it is stated; else, and where that is UN, the standard's (PS3.5 6.2.2, note 5): of those that it leaves to
// Pixel Representation, SS where that `is_signed`. What has items is a sequence, whatever is said of it.
std::string vr_of(const ColumnKey& key, bool is_signed = false);

// The header that a column's key stands for.
dicom::Token header_of(const ColumnKey& key);

}  // namespace dicube::archive
