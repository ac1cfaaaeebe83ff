// The section "FIND": what was irregular in the series when it was packed.
#pragma once

#include "base/bytes.h"
#include "dicube/finding.h"

namespace dicube::archive {

constexpr std::size_t kMostFindings = 64;

// REQUIRES: at most kMostFindings.
Bytes write_findings(const std::vector<QualityFinding>& findings);

// Every number of a slice is below `instances`.
Result<std::vector<QualityFinding>> read_findings(ByteSpan bytes, std::size_t instances);

}  // namespace dicube::archive
