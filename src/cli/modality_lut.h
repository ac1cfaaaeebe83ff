// The Modality LUT, which stands in place of rescale factors (PS3.3 C.11.1).
#pragma once

#include <optional>
#include <vector>

#include "dicube/archive.h"

namespace dicube::cli {

class ModalityLut {
 public:
  // That of a frame's instance; nothing where it has none. kUnsupported: what it has is no table.
  static Result<std::optional<ModalityLut>> of_frame(const Archive& archive, std::size_t frame);
  // What the table has for a stored value; its first or last entry for those outside.
  double of(double stored) const;

 private:
  double first_ = 0;  // the stored value of the first entry
  std::vector<double> table_;
};

}  // namespace dicube::cli
