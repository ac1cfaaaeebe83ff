// Slices of a long series, one after another, in little memory: what neighbours share is kept once.
#pragma once

#include <array>
#include <vector>

#include "columns/value_list.h"
#include "series/check_fields.h"

namespace dicube {

class SliceList {
 public:
  void push(const Slice& slice);
  std::vector<Slice> slices() const;
  std::size_t held_bytes() const;  // memory
  std::size_t size() const { return fields_[0].size(); }

 private:
  static constexpr std::size_t kArrays = 3, kFlags = 1;
  std::array<columns::ValueList, std::size(kSliceNumbers) + std::size(kSliceTexts) + kArrays + kFlags> fields_;
};

}  // namespace dicube
