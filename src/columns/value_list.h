// A list of byte strings, kept in one buffer; equal neighbours share their bytes.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace dicube::columns {

class ValueList {
 public:
  void push(ByteSpan value) {
    if (!ranges_.empty() && same_bytes(value, back())) {
      ranges_.push_back(ranges_.back());
      return;
    }
    ranges_.push_back({bytes_.size(), value.size()});
    append(bytes_, value);
  }
  // One more of the value at `row`, without copying it.
  void push_again(std::size_t row) { ranges_.push_back(ranges_[row]); }

  ByteSpan operator[](std::size_t row) const { return ByteSpan(bytes_).subspan(ranges_[row].offset, ranges_[row].size); }
  ByteSpan back() const { return (*this)[size() - 1]; }
  std::size_t size() const { return ranges_.size(); }
  bool empty() const { return ranges_.empty(); }
  // Bytes of all distinct neighbours.
  std::size_t byte_count() const { return bytes_.size(); }
  void reserve(std::size_t rows) { ranges_.reserve(rows); }
  void clear() {
    bytes_.clear();
    ranges_.clear();
  }

 private:
  struct Range {
    std::uint64_t offset, size;
  };
  Bytes bytes_;
  std::vector<Range> ranges_;
};

}  // namespace dicube::columns
