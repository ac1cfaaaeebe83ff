#include "archive/findings.h"

#include "columns/integers.h"

namespace dicube::archive {
namespace {

constexpr std::string_view kWhat = "section 'FIND'";

Result<Finding> read_finding(ByteReader& in, std::size_t instances) {
  Finding finding;
  DICUBE_ASSIGN(auto severity, in.get<std::uint8_t>());
  if (severity > static_cast<std::uint8_t>(Severity::kError))
    return fail(ErrorClass::kDamaged, "{}: severity {}, at most {} possible", kWhat, severity,
                static_cast<int>(Severity::kError));
  finding.severity = static_cast<Severity>(severity);
  DICUBE_ASSIGN(auto code, in.get_string());
  DICUBE_ASSIGN(auto message, in.get_string());
  finding.code = as_text(code);
  finding.message = as_text(message);
  DICUBE_ASSIGN(auto count, in.get_count(instances, "instances"));
  DICUBE_ASSIGN(auto slices, columns::get_integers(in, count));
  for (const std::int64_t slice : slices) {
    if (slice < 0 || static_cast<std::uint64_t>(slice) >= instances)
      return fail(ErrorClass::kDamaged, "{}: instance {} of {}", kWhat, slice, instances);
    finding.slices.push_back(static_cast<std::size_t>(slice));
  }
  return finding;
}

}  // namespace

Bytes write_findings(const std::vector<Finding>& findings) {
  ByteWriter out;
  out.put_varint(findings.size());
  for (const Finding& finding : findings) {
    out.put(static_cast<std::uint8_t>(finding.severity));
    out.put_string(as_bytes(finding.code));
    out.put_string(as_bytes(finding.message));
    out.put_varint(finding.slices.size());
    columns::put_integers(std::vector<std::int64_t>(finding.slices.begin(), finding.slices.end()), out);
  }
  return out.take();
}

Result<std::vector<Finding>> read_findings(ByteSpan bytes, std::size_t instances) {
  ByteReader in(bytes, kWhat);
  DICUBE_ASSIGN(auto count, in.get_count(kMostFindings, "findings"));
  std::vector<Finding> findings;
  for (std::uint64_t i = 0; i < count; ++i) {
    DICUBE_ASSIGN(auto finding, read_finding(in, instances));
    findings.push_back(std::move(finding));
  }
  DICUBE_TRY(in.expect_end());
  return findings;
}

}  // namespace dicube::archive
