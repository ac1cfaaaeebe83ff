// The section "FIND": what was irregular in the series when it was packed.
#pragma once

#include "base/bytes.h"
#include "dicube/finding.h"

namespace dicube::archive {

constexpr std::size_t kMostFindings = 64;

// REQUIRES: at most kMostFindings.
Bytes write_findings(const std::vector<Finding>& findings);

// Every number of a slice is below `instances`.
Result<std::vector<Finding>> read_findings(ByteSpan bytes, std::size_t instances);

}  // namespace dicube::archive
