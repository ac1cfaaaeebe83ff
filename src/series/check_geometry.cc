// Spacing, orientation and positions of slices.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "series/checker.h"
#include "series/planes.h"
#include "series/slice_order.h"

namespace dicube {
namespace {

constexpr double kSamePlace = 1e-4;    // mm: what rounding leaves between slices at one position
constexpr double kSpacing = 0.01;      // of the typical distance between slices
constexpr double kOrientation = 1e-4;  // of a direction cosine, from slice to slice
constexpr double kTiltDegrees = 0.1;

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

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class GeometryChecker : Checker {
 public:
  // `numbers`: what has gone up and down where slices do not follow each other.
  GeometryChecker(const SliceList& slices, std::vector<Finding>& findings, const char* numbers)
      : Checker(slices, findings), numbers_(numbers) {}

  void run() {
    check_spacing();
    check_positions(check_orientation());
  }

 private:
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

  void check_spacing() {
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
        formatted("{} go back through the patient at {}", numbers_, counted(fewer.size(), "slice")));
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
    if (wide.empty() && narrow.empty() && places.size() == slices) check_line(places);
  }

  // Steps that are all alike add up to another place where they grow, and say nothing of a slice that was moved aside.
  void check_line(const std::vector<Numbers>& places) {
    const auto at = [&](std::size_t i) { return *slices_[places[i][0]][&Slice::position]; };
    const std::array<double, 3> first = at(0), last = at(places.size() - 1);
    const auto steps = static_cast<double>(places.size() - 1);
    Numbers beside;
    double most = 0, length = 0;
    for (std::size_t k = 0; k < 3; ++k) length += std::pow((last[k] - first[k]) / steps, 2);
    for (std::size_t i = 1; i + 1 < places.size(); ++i) {
      double square = 0;
      for (std::size_t k = 0; k < 3; ++k)
        square += std::pow(at(i)[k] - first[k] - static_cast<double>(i) * (last[k] - first[k]) / steps, 2);
      if (square <= kSpacing * kSpacing * length) continue;
      beside.push_back(places[i][0]);
      most = std::max(most, std::sqrt(square));
    }
    if (!beside.empty())
      add("uneven_positions", Severity::kWarning, beside,
          formatted("{} {} up to {:.3g} mm beside even steps from the first to the last",
                    counted(beside.size(), "slice"), beside.size() == 1 ? "lies" : "lie", most));
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
        formatted("{} slices lie at {}", slices, counted(places.size(), "position")));
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

  const char* numbers_;
  std::array<double, 3> normal_{};
};

// Findings on frames as such on the slices that these are of.
std::vector<Finding> by_slice(std::vector<Finding> findings, const Numbers& slices) {
  for (Finding& finding : findings) {
    if (finding.slices.empty()) continue;
    std::ranges::sort(finding.slices);
    finding.message += formatted(" (frame{} {})", finding.slices.size() == 1 ? "" : "s", listed(finding.slices));
    for (std::size_t& slice : finding.slices) slice = slices[slice];
    finding.slices.erase(std::unique(finding.slices.begin(), finding.slices.end()), finding.slices.end());
  }
  return findings;
}

}  // namespace

void check_geometry(const SliceList& slices, std::vector<Finding>& findings) {
  const auto frames = series::frame_by_frame(slices);
  if (!frames) return GeometryChecker(slices, findings, "the instance numbers").run();
  const bool is_one_each = frames->list.size() == slices.size();
  std::vector<Finding> found;
  GeometryChecker(frames->list, found, is_one_each ? "the instance numbers" : "the frames").run();
  for (Finding& finding : is_one_each ? found : by_slice(std::move(found), frames->slices))
    findings.push_back(std::move(finding));
}

}  // namespace dicube
