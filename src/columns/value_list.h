// A list of byte strings, kept in one buffer; equal neighbours are kept once.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/bytes.h"

namespace dicube::columns {

class ValueList {
 public:
  void push(ByteSpan value) {
    if (!empty() && same_bytes(value, back())) return repeat_last(1);
    add(begins_, bytes_.size());
    if (!firsts_.empty()) add(firsts_, size_);
    make_room(bytes_, value.size());
    append(bytes_, value);
    ++size_;
  }
  // The last value again, `times` times. REQUIRES: not empty.
  void repeat_last(std::size_t times) {
    if (firsts_.empty() && times > 0) {
      firsts_.resize(size_);
      std::iota(firsts_.begin(), firsts_.end(), std::size_t{0});
    }
    size_ += times;
  }

  // REQUIRES: row < size().
  ByteSpan operator[](std::size_t row) const { return value_of(firsts_.empty() ? row : run_of(row)); }
  ByteSpan back() const { return value_of(begins_.size() - 1); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool is_constant() const { return begins_.size() <= 1; }
  // Bytes of all runs of equal neighbours.
  std::size_t byte_count() const { return bytes_.size(); }
  // Memory, of what was put in and for what may follow.
  std::size_t held_bytes() const {
    return bytes_.capacity() + (begins_.capacity() + firsts_.capacity()) * sizeof(std::size_t);
  }
  void reserve(std::size_t rows) { begins_.reserve(rows); }
  void clear() { *this = {}; }

 private:
  // By a quarter where that is much: a column of a long series would else hold as much again as it needs.
  template <class T>
  static void make_room(std::vector<T>& list, std::size_t more) {
    constexpr std::size_t kMuch = 4096 / sizeof(T);
    const std::size_t need = list.size() + more;
    if (need > list.capacity() && need > kMuch) list.reserve(std::max(need, list.capacity() + list.capacity() / 4));
  }
  static void add(std::vector<std::size_t>& list, std::size_t number) {
    make_room(list, 1);
    list.push_back(number);
  }
  ByteSpan value_of(std::size_t run) const {
    const std::size_t begin = begins_[run], end = run + 1 < begins_.size() ? begins_[run + 1] : bytes_.size();
    return ByteSpan(bytes_).subspan(begin, end - begin);
  }
  std::size_t run_of(std::size_t row) const {
    const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), row);
    return static_cast<std::size_t>(after - firsts_.begin()) - 1;
  }
  Bytes bytes_;
  std::vector<std::size_t> begins_;  // of every run of equal values, in bytes_; it ends where the next one begins
  std::vector<std::size_t> firsts_;  // its row; none while every run has one
  std::size_t size_ = 0;
};

}  // namespace dicube::columns
