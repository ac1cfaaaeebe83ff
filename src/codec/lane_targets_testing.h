// Tests of lane on each vector unit of this machine.
#pragma once

#include <gtest/gtest.h>

#include "codec/lane_targets.h"

// Knows by the former which targets there are.
#include <hwy/targets.h>

namespace dicube::codec::lane::testing {

// Code in vectors runs on this target alone; the processor's own choice is restored at the end.
class OnTarget {
 public:
  explicit OnTarget(std::int64_t target) { hwy::SetSupportedTargetsForTest(target); }
  ~OnTarget() { hwy::SetSupportedTargetsForTest(0); }
  OnTarget(const OnTarget&) = delete;
  OnTarget& operator=(const OnTarget&) = delete;
};

// Runs `work` once with every vector unit that this machine has.
template <class Work>
void on_every_target(Work work) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const OnTarget forced(target);
    SCOPED_TRACE(hwy::TargetName(target));
    work();
  }
}

}  // namespace dicube::codec::lane::testing
