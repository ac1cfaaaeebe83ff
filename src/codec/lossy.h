// The search for a quantisation that keeps a bound.
#pragma once

#include <functional>

#include "codec/codec.h"

namespace dicube::codec {

// What a codec calls its quantisation, from fine to coarse.
struct Coarseness {
  double finest, start, coarsest;
  bool whole = false;  // integers only
};

struct Trial {
  Bytes stream;
  std::uint32_t error = 0;      // the largest, as decoded
  std::uint32_t elsewhere = 0;  // as another widespread decoder has it
  bool is_legal = true;         // else it is no good, whatever the wish
};

// The coarsest attempt that is good, or the finest when `coarser_is_better` is off, as far as a few attempts find it.
// kUnsupported: none is.
Result<Trial> find_coarseness(const Coarseness& range, const std::function<Result<Trial>(double)>& attempt,
                              const std::function<bool(const Trial&)>& is_good, bool coarser_is_better);

}  // namespace dicube::codec
