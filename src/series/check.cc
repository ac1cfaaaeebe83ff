#include "series/check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/result.h"
#include "series/slice_list.h"
#include "series/slice_order.h"

namespace dicube {
namespace {

using Numbers = std::vector<std::size_t>;
using Row = SliceList::Row;

constexpr const char* kDuplicateUid = "duplicate_sop_instance_uid";
constexpr double kMostNumber = 2147483647;  // of an Integer String
constexpr double kSamePlace = 1e-4;         // mm: what rounding leaves between slices at one position
constexpr double kSpacing = 0.01;           // of the typical distance between slices
constexpr double kOrientation = 1e-4;       // of a direction cosine, from slice to slice
constexpr double kTiltDegrees = 0.1;

// "3, 4, 7" with an end.
std::string listed(const std::vector<long long>& values) {
  constexpr std::size_t kMost = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(values.size(), kMost); ++i)
    text += formatted("{}{}", i == 0 ? "" : ", ", values[i]);
  if (values.size() > kMost) text += formatted(" and {} more", values.size() - kMost);
  return text;
}

// Reports, presentation states, structure sets, raw data, ...: nothing to look for gaps in.
bool says_nothing_of_pixels(Row s) {
  return !s[&Slice::samples] && !s[&Slice::bits_allocated] && !s[&Slice::bits_stored] && !s[&Slice::high_bit] &&
         !s[&Slice::is_signed];
}

// Whether spacing, orientation and position stand in functional groups, if anywhere, rather than in the data set.
bool has_many_frames(Row s) {
  const auto frames = s[&Slice::frames];
  return frames && *frames > 1;
}

// Without what can be no spacing: it is as good as missing.
std::optional<std::array<double, 2>> spacing_of(Row s) {
  const auto spacing = s[&Slice::pixel_spacing];
  return spacing && (*spacing)[0] > 0 && (*spacing)[1] > 0 ? spacing : std::nullopt;
}

// Without what can be no orientation: two directions that are perpendicular, up to rounding.
std::optional<std::array<double, 6>> orientation_of(Row s) {
  const auto orientation = s[&Slice::orientation];
  if (!orientation) return std::nullopt;
  const auto normal = series::normal_of(*orientation);
  return std::abs(series::dot(normal, normal) - 1) < 0.1 ? orientation : std::nullopt;
}

std::string those_have(const Numbers& slices) {
  return slices.size() == 1 ? "1 slice has" : formatted("{} slices have", slices.size());
}

// "the only slice has", "all 3 slices have", "1 of 3 slices has"
std::string those_of(std::size_t some, std::size_t all) {
  if (all == 1) return "the only slice has";
  if (some == all) return formatted("all {} slices have", all);
  return formatted("{} of {} slices {}", some, all, some == 1 ? "has" : "have");
}

std::string those_differ(const Numbers& slices) {
  return slices.size() == 1 ? "1 slice differs" : formatted("{} slices differ", slices.size());
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class Checker {
 public:
  explicit Checker(const SliceList& slices) : slices_(slices) {}

  std::vector<Finding> run() {
    if (slices_.size() == 0) return {};
    check_identity();
    if (without(says_nothing_of_pixels).empty()) return std::move(findings_);
    check_instance_numbers();
    check_pixels();
    check_geometry();
    check_rescale();
    return std::move(findings_);
  }

 private:
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
          formatted("{} {}{} more than once", values, what, values == 1 ? " occurs" : "s occur"));
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

  void check_equal(const char* field, std::initializer_list<Number> members, double tolerance, const char* plural) {
    std::vector<Number> all(members);
    const Numbers missing =
        without([&](Row s) { return std::ranges::all_of(all, [&](Number m) { return s[m].has_value(); }); });
    if (!missing.empty())
      add("missing_" + std::string(field), Severity::kError, missing,
          formatted("{} not say {} {}",
                    missing.size() == 1 ? "1 slice does" : formatted("{} slices do", missing.size()),
                    missing.size() == 1 ? "its" : "their", plural));
    const std::size_t first = first_with(all);
    if (first == slices_.size()) return;
    Numbers odd;
    for (std::size_t i = first + 1; i < slices_.size(); ++i)
      if (std::ranges::any_of(all, [&](Number m) {
            const auto a = slices_[i][m], b = slices_[first][m];
            return a && std::abs(*a - *b) > tolerance * std::abs(*b);
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
    check_equal("size", {&Slice::rows, &Slice::columns}, 0, "rows and columns");
    if (without(is_floating).empty())
      check_equal("pixel_type", {&Slice::bits_allocated}, 0, "pixel type");
    else
      check_equal("pixel_type", {&Slice::bits_allocated, &Slice::bits_stored, &Slice::high_bit, &Slice::is_signed}, 0,
                  "pixel type");
    const Numbers bare = without([](Row s) {
      return !s[&Slice::rows] || !s[&Slice::columns] || !s[&Slice::bits_allocated] ||
             s[&Slice::has_frames].value_or(true);
    });
    if (!bare.empty())
      add("missing_pixels", Severity::kError, bare,
          formatted("{} no pixels that can be read: not sent, or cut short", those_have(bare)));
  }

  // Radiographs, ultrasound, photographs and the like need not say where they lie.
  bool is_tomographic() const {
    return any([](Row s) {
      const auto modality = s[&Slice::modality];
      return modality == "CT" || modality == "MR" || modality == "PT";
    });
  }

  bool lies_in_space() const {
    return is_tomographic() || any([](Row s) { return s[&Slice::orientation] || s[&Slice::position]; });
  }

  void check_geometry() {
    const Numbers no_spacing = without([](Row s) { return spacing_of(s) || has_many_frames(s); });
    if (!no_spacing.empty() && (is_tomographic() || no_spacing.size() < slices_.size()))
      add("missing_pixel_spacing", Severity::kWarning, no_spacing,
          formatted("{} no pixel spacing", those_have(no_spacing)));
    Numbers odd;
    std::size_t first = slices_.size();
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const auto spacing = spacing_of(slices_[i]);
      if (!spacing) continue;
      if (first == slices_.size()) first = i;
      const auto expected = spacing_of(slices_[first]);
      for (std::size_t k = 0; k < 2; ++k)
        if (std::abs((*spacing)[k] - (*expected)[k]) > 1e-4 * std::abs((*expected)[k])) {
          odd.push_back(i);
          break;
        }
    }
    if (!odd.empty())
      add("mixed_pixel_spacing", Severity::kError, odd,
          formatted("{} from slice {} in pixel spacing", those_differ(odd), first));
    check_positions(check_orientation());
  }

  // The slices of the orientation that most have, whose positions are projected on its normal.
  Numbers check_orientation() {
    const Numbers missing = without([](Row s) { return orientation_of(s) || has_many_frames(s); });
    if (!missing.empty() && lies_in_space())
      add("missing_orientation", Severity::kWarning, missing, formatted("{} no orientation", those_have(missing)));
    Numbers members = most_alike();
    if (members.empty()) return {};
    const std::array<double, 6> first = *orientation_of(slices_[members[0]]);
    Numbers jitter, other;
    double most = 0;
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const auto orientation = orientation_of(slices_[i]);
      if (!orientation) continue;
      const double difference = difference_of(*orientation, first);
      if (is_other(difference))
        other.push_back(i);
      else if (difference > kOrientation)
        jitter.push_back(i), most = std::max(most, difference);
    }
    if (!jitter.empty())
      add("orientation_jitter", Severity::kInfo, jitter, formatted("the orientation varies by up to {:.2g}", most));
    if (!other.empty())
      add("mixed_orientation", Severity::kError, other,
          formatted("{} another orientation than most", those_have(other)));
    normal_ = series::normal_of(first);
    return members;
  }

  static double difference_of(const std::array<double, 6>& a, const std::array<double, 6>& b) {
    double difference = 0;
    for (std::size_t k = 0; k < 6; ++k) difference = std::max(difference, std::abs(a[k] - b[k]));
    return difference;
  }

  static bool is_other(double difference) { return !(difference <= 100 * kOrientation); }

  // The largest group of slices whose orientation is that of the group's first.
  Numbers most_alike() const {
    constexpr std::size_t kMostGroups = 64;  // of slices around an axis each has its own
    std::vector<Numbers> groups;
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const auto orientation = orientation_of(slices_[i]);
      if (!orientation) continue;
      const auto group = std::ranges::find_if(groups, [&](const Numbers& g) {
        return !is_other(difference_of(*orientation, *orientation_of(slices_[g[0]])));
      });
      if (group != groups.end())
        group->push_back(i);
      else if (groups.size() < kMostGroups)
        groups.push_back({i});
    }
    const auto largest = std::ranges::max_element(groups, {}, [](const Numbers& g) { return g.size(); });
    return largest == groups.end() ? Numbers() : *largest;
  }

  void check_positions(const Numbers& members) {
    if (members.empty()) return;
    const Numbers missing = without([](Row s) { return s[&Slice::position] || has_many_frames(s); });
    if (!missing.empty() && lies_in_space())
      add("missing_position", Severity::kWarning, missing, formatted("{} no position", those_have(missing)));
    Numbers order;
    std::vector<double> along(slices_.size());
    for (std::size_t i : members) {
      const auto position = slices_[i][&Slice::position];
      if (position) along[i] = series::dot(*position, normal_);
      if (position && std::isfinite(along[i])) order.push_back(i);
    }
    if (order.size() < 2) return;
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return along[i]; });
    const std::vector<Numbers> places = places_of(order, along);
    if (!are_volumes(places)) check_order(order, along);  // volumes one after another go back between them
    check_steps(places, along, order.size());
  }

  // Instance numbers should go one way through the patient, whichever.
  void check_order(Numbers order, const std::vector<double>& along) {
    std::erase_if(order, [&](std::size_t i) {
      const auto number = slices_[i][&Slice::instance_number];
      return !number || !std::isfinite(*number);
    });
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return *slices_[i][&Slice::instance_number]; });
    Numbers up, down;
    for (std::size_t i = 1; i < order.size(); ++i) {
      const double step = along[order[i]] - along[order[i - 1]];
      if (step > 0) up.push_back(order[i]);
      if (step < 0) down.push_back(order[i]);
    }
    if (up.empty() || down.empty()) return;
    const Numbers& fewer = up.size() < down.size() ? up : down;
    add("order_reverses", Severity::kWarning, fewer,
        formatted("the instance numbers go back through the patient at {} slice{}", fewer.size(),
                  fewer.size() == 1 ? "" : "s"));
  }

  // Slices at one position each, along the normal.
  static std::vector<Numbers> places_of(const Numbers& order, const std::vector<double>& along) {
    std::vector<Numbers> places;
    const double extent = along[order.back()] - along[order.front()];
    const double same = std::max(kSamePlace, 1e-3 * extent / static_cast<double>(order.size()));
    for (std::size_t i : order) {
      if (places.empty() || along[i] - along[places.back()[0]] > same) places.emplace_back();
      places.back().push_back(i);
    }
    return places;
  }

  // Every position equally often, and more than once: a series in time, or of echoes, ...
  static bool are_volumes(const std::vector<Numbers>& places) {
    return !places.empty() && places[0].size() > 1 &&
           std::ranges::all_of(places, [&](const Numbers& place) { return place.size() == places[0].size(); });
  }

  void check_steps(const std::vector<Numbers>& places, const std::vector<double>& along, std::size_t slices) {
    if (places.size() < slices) check_repeats(places, slices);
    if (places.size() < 2) return;
    check_tilt(places);
    if (places.size() < 3) return;
    std::vector<double> steps;
    for (std::size_t i = 1; i < places.size(); ++i) steps.push_back(along[places[i][0]] - along[places[i - 1][0]]);
    const double typical = median(steps);
    Numbers wide, narrow;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i] > typical * (1 + kSpacing)) wide.push_back(places[i + 1][0]);
      if (steps[i] < typical * (1 - kSpacing)) narrow.push_back(places[i + 1][0]);
    }
    const auto [least, most] = std::ranges::minmax(steps);
    if (!wide.empty())
      add("gap_in_positions", Severity::kError, wide,
          formatted("steps of up to {:.4g} mm where {:.4g} mm are usual", most, typical));
    if (!narrow.empty())
      add("narrow_positions", Severity::kWarning, narrow,
          formatted("steps of down to {:.4g} mm where {:.4g} mm are usual", least, typical));
  }

  void check_repeats(const std::vector<Numbers>& places, std::size_t slices) {
    if (are_volumes(places)) {
      add("repeated_positions", Severity::kInfo, {},
          places.size() == 1
              ? formatted("all {} slices lie at one position", slices)
              : formatted("{} volumes of {} slices each in one series", places[0].size(), places.size()));
      return;
    }
    Numbers repeated;
    for (const Numbers& place : places)
      if (place.size() > 1) repeated.insert(repeated.end(), place.begin(), place.end());
    std::ranges::sort(repeated);
    add("duplicate_positions", Severity::kError, repeated,
        formatted("{} slices lie at {} positions", slices, places.size()));
  }

  void check_tilt(const std::vector<Numbers>& places) {
    const std::array<double, 3> first = *slices_[places.front()[0]][&Slice::position],
                                last = *slices_[places.back()[0]][&Slice::position];
    const std::array<double, 3> way = {last[0] - first[0], last[1] - first[1], last[2] - first[2]};
    const double length = std::sqrt(series::dot(way, way)), normal = std::sqrt(series::dot(normal_, normal_));
    if (length == 0 || normal == 0) return;
    const double degrees =
        std::acos(std::min(1.0, std::abs(series::dot(way, normal_)) / length / normal)) * 180 / std::numbers::pi;
    if (degrees > kTiltDegrees)
      add("gantry_tilt", Severity::kWarning, {},
          formatted("the slices are stacked at {:.1f} degrees to their normal", degrees));
  }

  void check_rescale() {
    const Numbers none =
        without([](Row s) { return s[&Slice::slope].has_value() && s[&Slice::intercept].has_value(); });
    if (none.size() == slices_.size()) return;
    if (!none.empty())
      add("missing_rescale", Severity::kWarning, none,
          formatted("{} no rescale slope and intercept", those_of(none.size(), slices_.size())));
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

  const SliceList& slices_;
  std::array<double, 3> normal_{};
  std::vector<Finding> findings_;
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

std::vector<Finding> check(const SliceList& slices) { return Checker(slices).run(); }

std::vector<Finding> check(const std::vector<Slice>& slices) {
  SliceList list;
  for (const Slice& slice : slices) list.push(slice);
  return check(list);
}

}  // namespace dicube
