// What the checks of a series share: its slices, what is found, and how it is said.
#pragma once

#include "base/formatted.h"
#include "series/check.h"
#include "series/slice_list.h"

namespace dicube {

using Numbers = std::vector<std::size_t>;  // of slices
using Row = SliceList::Row;

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
