#include "series/check.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "series/checker.h"

namespace dicube {
namespace {

constexpr const char* kDuplicateUid = "duplicate_sop_instance_uid";
constexpr double kMostNumber = 2147483647;  // of an Integer String

// Reports, presentation states, structure sets, raw data, ...: nothing to look for gaps in.
bool says_nothing_of_pixels(Row s) {
  return !s[&Slice::samples] && !s[&Slice::bits_allocated] && !s[&Slice::bits_stored] && !s[&Slice::high_bit] &&
         !s[&Slice::is_signed];
}

// "the only slice has", "all 3 slices have", "1 of 3 slices has"
std::string those_of(std::size_t some, std::size_t all) {
  if (all == 1) return "the only slice has";
  if (some == all) return formatted("all {} slices have", all);
  return formatted("{} of {} slices {}", some, all, some == 1 ? "has" : "have");
}

class SeriesChecker : Checker {
 public:
  using Checker::Checker;

  void run() {
    if (slices_.size() == 0) return;
    check_identity();
    check_wholeness();
    if (without(says_nothing_of_pixels).empty()) return;
    check_instance_numbers();
    check_pixels();
    check_geometry(slices_, findings_);
    check_rescale();
  }

 private:
  // A text that all slices should share. `may_be_empty`: in all of them it may be (PS3.5 7.4.3), as where a series was
  // anonymised.
  void check_shared(const char* field, std::string Slice::*member, Severity when_differing, bool may_be_empty) {
    std::map<std::string_view, Numbers> values;
    for (std::size_t i = 0; i < slices_.size(); ++i) values[slices_[i][member]].push_back(i);
    const auto empty = values.find("");
    if (empty != values.end() && (!may_be_empty || values.size() > 1))
      add("missing_" + std::string(field), Severity::kWarning, empty->second,
          formatted("{} no {}", those_of(empty->second.size(), slices_.size()), field));
    if (empty != values.end()) values.erase(empty);
    if (values.size() < 2) return;
    const auto most = std::ranges::max_element(values, {}, [](const auto& v) { return v.second.size(); });
    Numbers odd;
    for (const auto& [value, members] : values)
      if (value != most->first) odd.insert(odd.end(), members.begin(), members.end());
    std::ranges::sort(odd);
    add("several_" + std::string(field), when_differing, odd,
        formatted("{} different values of {}", values.size(), field));
  }

  void check_identity() {
    check_shared("series_instance_uid", &Slice::series_instance_uid, Severity::kError, false);
    check_shared("study_instance_uid", &Slice::study_instance_uid, Severity::kError, false);
    check_shared("patient_id", &Slice::patient_id, Severity::kError, true);
    check_shared("patient_name", &Slice::patient_name, Severity::kWarning, true);
    check_shared("modality", &Slice::modality, Severity::kError, false);
    check_shared("frame_of_reference_uid", &Slice::frame_of_reference_uid, Severity::kWarning, true);
    const Numbers nameless = without([](Row s) { return !s[&Slice::sop_instance_uid].empty(); });
    if (!nameless.empty())
      add("missing_sop_instance_uid", Severity::kWarning, nameless,
          formatted("{} no sop_instance_uid", those_have(nameless)));
    Keyed<std::string_view> uids;
    for (std::size_t i = 0; i < slices_.size(); ++i)
      if (const auto uid = slices_[i][&Slice::sop_instance_uid]; !uid.empty()) uids.emplace_back(uid, i);
    std::ranges::sort(uids);
    add_repeated(kDuplicateUid, Severity::kError, uids, "SOP Instance UID");
  }

  void check_wholeness() {
    const Numbers odd = without([](Row s) { return s[&Slice::is_whole].value_or(true); });
    if (!odd.empty())
      add(std::string(kUnexplainedBytes), Severity::kWarning, odd,
          formatted("{} bytes that can't be explained: stray or damaged ones, or an element that was cut short",
                    those_have(odd)));
  }

  // Slices by what each has.
  template <class Key>
  using Keyed = std::vector<std::pair<Key, std::size_t>>;

  // REQUIRES: sorted.
  template <class Key>
  void add_repeated(const char* code, Severity severity, const Keyed<Key>& seen, const char* what) {
    Numbers repeated;
    std::size_t values = 0;
    for (auto begin = seen.begin(), end = begin; begin != seen.end(); begin = end) {
      end = std::find_if(begin, seen.end(), [&](const auto& other) { return other.first != begin->first; });
      if (end - begin < 2) continue;
      for (auto at = begin; at != end; ++at) repeated.push_back(at->second);
      ++values;
    }
    std::ranges::sort(repeated);
    if (values > 0)
      add(code, severity, repeated,
          formatted("{} {} more than once", counted(values, what), values == 1 ? "occurs" : "occur"));
  }

  void check_instance_numbers() {
    Keyed<double> seen;
    for (std::size_t i = 0; i < slices_.size(); ++i)
      if (const auto number = slices_[i][&Slice::instance_number]; number && std::isfinite(*number))
        seen.emplace_back(*number, i);
    std::ranges::sort(seen);
    const Numbers missing = without([](Row s) { return s[&Slice::instance_number].has_value(); });
    if (!missing.empty())
      add("missing_instance_number", Severity::kWarning, missing,
          formatted("{} no instance number", those_have(missing)));
    add_repeated("duplicate_instance_numbers", Severity::kWarning, seen, "instance number");
    std::vector<long long> absent;
    Numbers behind;
    for (std::size_t i = 1; i < seen.size(); ++i) {
      const double before = seen[i - 1].first, next = seen[i].first;
      if (next - before <= 1 || std::abs(before) > kMostNumber || next > kMostNumber) continue;
      behind.push_back(seen[i].second);
      auto number = static_cast<long long>(std::floor(before)) + 1;
      for (; static_cast<double>(number) < next && absent.size() < 1000; ++number) absent.push_back(number);
    }
    if (!behind.empty())
      add("gap_in_instance_numbers", Severity::kWarning, behind,
          formatted("no slice has {} {}", absent.size() == 1 ? "instance number" : "the instance numbers",
                    listed(absent)));
  }

  using Number = std::optional<double> Slice::*;

  void check_equal(const char* field, const std::vector<Number>& all, const char* plural) {
    check_there(field, all, plural);
    check_same(field, all, plural);
  }

  void check_there(const char* field, const std::vector<Number>& all, const char* plural) {
    const Numbers missing =
        without([&](Row s) { return std::ranges::all_of(all, [&](Number m) { return s[m].has_value(); }); });
    if (!missing.empty())
      add("missing_" + std::string(field), Severity::kError, missing,
          formatted("{} {} not say {} {}", counted(missing.size(), "slice"), missing.size() == 1 ? "does" : "do",
                    missing.size() == 1 ? "its" : "their", plural));
  }

  // Of the slices that say them.
  void check_same(const char* field, const std::vector<Number>& all, const char* plural) {
    const std::size_t first = first_with(all);
    if (first == slices_.size()) return;
    Numbers odd;
    for (std::size_t i = first + 1; i < slices_.size(); ++i)
      if (std::ranges::any_of(all, [&](Number m) {
            const auto number = slices_[i][m];
            return number && number != slices_[first][m];
          }))
        odd.push_back(i);
    if (!odd.empty())
      add("mixed_" + std::string(field), Severity::kError, odd,
          formatted("{} from slice {} in {}", those_differ(odd), first, plural));
  }

  std::size_t first_with(const std::vector<Number>& members) const {
    for (std::size_t i = 0; i < slices_.size(); ++i)
      if (std::ranges::all_of(members, [&](Number m) { return slices_[i][m].has_value(); })) return i;
    return slices_.size();
  }

  // Of pixels that are floating-point numbers nothing but Bits Allocated is said (PS3.3 C.7.6.24).
  static bool is_floating(Row s) {
    const bool fits = s[&Slice::bits_allocated] == 32 || s[&Slice::bits_allocated] == 64;
    return fits && !s[&Slice::bits_stored] && !s[&Slice::high_bit] && !s[&Slice::is_signed];
  }

  void check_pixels() {
    check_equal("size", {&Slice::rows, &Slice::columns}, "rows and columns");
    check_same("samples", {&Slice::samples}, "samples per pixel");
    if (without(is_floating).empty())
      check_equal("pixel_type", {&Slice::bits_allocated}, "pixel type");
    else
      check_equal("pixel_type", {&Slice::bits_allocated, &Slice::bits_stored, &Slice::high_bit, &Slice::is_signed},
                  "pixel type");
    const Numbers bare = without([](Row s) {
      return !s[&Slice::rows] || !s[&Slice::columns] || !s[&Slice::bits_allocated] ||
             s[&Slice::has_frames].value_or(true);
    });
    if (!bare.empty())
      add("missing_pixels", Severity::kError, bare,
          formatted("{} no pixels that can be read: not sent, cut short, or not to be told apart into frames",
                    those_have(bare)));
    const Numbers broken = without([](Row s) { return !s[&Slice::is_broken].value_or(false); });
    if (!broken.empty())
      add(std::string(kBrokenFrames), Severity::kError, broken,
          formatted("{} frames that can't be decoded", those_have(broken)));
  }

  void check_rescale() {
    const Numbers neither =
        without([](Row s) { return s[&Slice::slope].has_value() || s[&Slice::intercept].has_value(); });
    if (neither.size() == slices_.size()) return;
    const Numbers none =
        without([](Row s) { return s[&Slice::slope].has_value() && s[&Slice::intercept].has_value(); });
    if (!none.empty())
      add("missing_rescale", Severity::kWarning, none,
          formatted("{} no rescale slope and intercept", those_of(none.size(), slices_.size())));
    const Numbers flat = without([](Row s) { return s[&Slice::slope] != 0.0; });
    if (!flat.empty())
      add("zero_rescale_slope", Severity::kWarning, flat,
          formatted("{} a rescale slope of 0, which leaves nothing but the intercept",
                    those_of(flat.size(), slices_.size())));
    Numbers odd;
    std::optional<std::pair<double, double>> first;
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const auto slope = slices_[i][&Slice::slope], intercept = slices_[i][&Slice::intercept];
      if (!slope || !intercept) continue;
      if (!first) first.emplace(*slope, *intercept);
      if (std::pair(*slope, *intercept) != *first) odd.push_back(i);
    }
    if (!odd.empty())
      add("mixed_rescale", Severity::kInfo, odd, "rescale slope and intercept differ from slice to slice");
  }
};

}  // namespace

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return "info";
    case Severity::kWarning: return "warning";
    case Severity::kError: return "error";
  }
  return "";
}

void tell_copies(std::vector<Finding>& findings, const std::function<ByteSpan(std::size_t)>& digest_of) {
  const auto found = std::ranges::find(findings, kDuplicateUid, &Finding::code);
  if (found == findings.end()) return;
  std::map<std::string_view, std::size_t> files;
  for (const std::size_t slice : found->slices) ++files[as_text(digest_of(slice))];
  const std::size_t all = found->slices.size();
  std::size_t copies = 0;
  for (const auto& [digest, count] : files) copies += count > 1 ? count : 0;
  found->message += copies == 0     ? "; the files differ"
                    : copies == all ? "; the files are copies, byte for byte"
                                    : formatted("; {} of {} files are copies, byte for byte", copies, all);
}

std::vector<Finding> check(const SeriesSlices& series) {
  auto findings = check(series.slices);
  if (!series.digests.empty()) tell_copies(findings, [&](std::size_t i) { return ByteSpan(series.digests[i]); });
  return findings;
}

std::vector<Finding> check(const SliceList& slices) {
  std::vector<Finding> findings;
  SeriesChecker(slices, findings).run();
  return findings;
}

std::vector<Finding> check(const std::vector<Slice>& slices) {
  SliceList list;
  for (const Slice& slice : slices) list.push(slice);
  return check(list);
}

}  // namespace dicube
