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
      make_room(runs_, 1);
      runs_.push_back({bytes_.size(), size_});
      make_room(bytes_, value.size());
      append(bytes_, value);
    }
    ++size_;
  }
  // The last value again, `times` times. REQUIRES: not empty.
  void repeat_last(std::size_t times) { size_ += times; }

  // REQUIRES: row < size().
  ByteSpan operator[](std::size_t row) const { return value_of(runs_.size() == size_ ? row : run_of(row)); }
  ByteSpan back() const { return value_of(runs_.size() - 1); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool is_constant() const { return runs_.size() <= 1; }
  // Bytes of all runs of equal neighbours.
  std::size_t byte_count() const { return bytes_.size(); }
  // Memory, of what was put in and for what may follow.
  std::size_t held_bytes() const { return bytes_.capacity() + runs_.capacity() * sizeof(Run); }
  void reserve(std::size_t rows) { runs_.reserve(rows); }
  void clear() { *this = {}; }

 private:
  struct Run {
    std::size_t begin;  // in bytes_; it ends where the next one begins
    std::size_t first;  // row
  };
  // By a quarter where that is much: a column of a long series would else hold as much again as it needs.
  template <class T>
  static void make_room(std::vector<T>& list, std::size_t more) {
    constexpr std::size_t kMuch = 4096 / sizeof(T);
    const std::size_t need = list.size() + more;
    if (need > list.capacity() && need > kMuch) list.reserve(std::max(need, list.capacity() + list.capacity() / 4));
  }
  ByteSpan value_of(std::size_t run) const {
    const std::size_t begin = runs_[run].begin, end = run + 1 < runs_.size() ? runs_[run + 1].begin : bytes_.size();
    return ByteSpan(bytes_).subspan(begin, end - begin);
  }
  std::size_t run_of(std::size_t row) const {
    const auto after =
        std::upper_bound(runs_.begin(), runs_.end(), row, [](std::size_t r, const Run& run) { return r < run.first; });
    return static_cast<std::size_t>(after - runs_.begin()) - 1;
  }
  Bytes bytes_;
  std::vector<Run> runs_;
  std::size_t size_ = 0;
};

}  // namespace dicube::columns
