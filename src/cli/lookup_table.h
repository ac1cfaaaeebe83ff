// Tables from stored values to others.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "dicube/archive.h"

namespace dicube::cli {

class LookupTable {
 public:
  // What the table has for a stored value; its first or last entry for those outside.
  double of(double stored) const;
  // The largest entry that its bits would hold.
  double most() const { return most_; }

  // Of a LUT Descriptor and LUT Data, or those of a colour of a palette, in segments too; errors are kUnsupported and
  // begin with `name`.
  static Result<LookupTable> read(const Element* descriptor, const Element* data, const DataSet& data_set,
                                  bool is_signed, const std::string& name);

 private:
  double first_ = 0;  // the stored value of the first entry
  double most_ = 65535;
  std::vector<double> table_;
};

// The Modality LUT of a frame's instance, which stands in place of rescale factors (PS3.3 C.11.1); nothing where it has
// none.
Result<std::optional<LookupTable>> modality_lut_of(const Archive& archive, std::size_t frame);

// The red, green and blue of a frame of PALETTE COLOR (PS3.3 C.7.6.3.1.5); nothing for others, and where no data are.
Result<std::optional<std::array<LookupTable, 3>>> palette_of(const Archive& archive, std::size_t frame);

}  // namespace dicube::cli
