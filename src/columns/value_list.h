// A list of byte strings, kept in one buffer; equal neighbours are kept once.
#pragma once

#include <algorithm>
#include <vector>

#include "base/bytes.h"

namespace dicube::columns {

class ValueList {
 public:
  void push(ByteSpan value) {
    if (runs_.empty() || !same_bytes(value, back())) {
      runs_.push_back({bytes_.size(), value.size(), size_});
      append(bytes_, value);
    }
    ++size_;
  }
  // The last value again, `times` times. REQUIRES: not empty.
  void repeat_last(std::size_t times) { size_ += times; }

  // REQUIRES: row < size().
  ByteSpan operator[](std::size_t row) const { return value_of(runs_.size() == size_ ? runs_[row] : run_of(row)); }
  ByteSpan back() const { return value_of(runs_.back()); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool is_constant() const { return runs_.size() <= 1; }
  // Bytes of all runs of equal neighbours.
  std::size_t byte_count() const { return bytes_.size(); }
  void reserve(std::size_t rows) { runs_.reserve(rows); }
  void clear() { *this = {}; }

 private:
  struct Run {
    std::size_t offset, size;  // in bytes_
    std::size_t first;         // row
  };
  ByteSpan value_of(const Run& run) const { return ByteSpan(bytes_).subspan(run.offset, run.size); }
  const Run& run_of(std::size_t row) const {
    const auto after =
        std::upper_bound(runs_.begin(), runs_.end(), row, [](std::size_t r, const Run& run) { return r < run.first; });
    return *(after - 1);
  }
  Bytes bytes_;
  std::vector<Run> runs_;
  std::size_t size_ = 0;
};

}  // namespace dicube::columns
