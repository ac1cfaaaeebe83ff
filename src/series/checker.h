// What the checks of a series share: its slices, what is found, and how it is said.
#pragma once

#include <algorithm>

#include "base/formatted.h"
#include "series/check.h"
#include "series/slice_list.h"

namespace dicube {

using Row = SliceList::Row;

// "3, 4, 7" with an end.
template <class Number>
std::string listed(const std::vector<Number>& values) {
  constexpr std::size_t kMost = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(values.size(), kMost); ++i)
    text += formatted("{}{}", i == 0 ? "" : ", ", values[i]);
  if (values.size() > kMost) text += formatted(" and {} more", values.size() - kMost);
  return text;
}

inline std::string those_have(const Numbers& slices) {
  return slices.size() == 1 ? "1 slice has" : formatted("{} slices have", slices.size());
}

inline std::string those_differ(const Numbers& slices) {
  return slices.size() == 1 ? "1 slice differs" : formatted("{} slices differ", slices.size());
}

class Checker {
 public:
  // Both must outlive it.
  Checker(const SliceList& slices, std::vector<Finding>& findings) : slices_(slices), findings_(findings) {}

 protected:
  void add(std::string code, Severity severity, Numbers slices, std::string message) {
    findings_.push_back({std::move(code), std::move(message), {}, severity, std::move(slices)});
  }

  template <class Has>
  Numbers without(Has has) const {
    Numbers out;
    for (std::size_t i = 0; i < slices_.size(); ++i)
      if (!has(slices_[i])) out.push_back(i);
    return out;
  }

  template <class Has>
  bool any(Has has) const {
    for (std::size_t i = 0; i < slices_.size(); ++i)
      if (has(slices_[i])) return true;
    return false;
  }

  const SliceList& slices_;
  std::vector<Finding>& findings_;
};

// Whether they say how they lie in space, and lie as those of a volume do.
void check_geometry(const SliceList& slices, std::vector<Finding>& findings);

}  // namespace dicube
