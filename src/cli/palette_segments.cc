#include "cli/palette_segments.h"

#include <cmath>

namespace dicube::cli {
namespace {

enum Kind : unsigned { kRun, kLine, kReference };

class Segments {
 public:
  Segments(std::span<const double> units, std::size_t bytes_each, std::size_t most)
      : units_(units), bytes_each_(bytes_each), most_(most) {}

  Result<std::vector<double>> entries() {
    std::size_t at = 0;
    while (entries_.size() < most_ && units_.size() - at > 1) DICUBE_TRY(add(at, true));  // what is left is padding
    return std::move(entries_);
  }

 private:
  // The segment at `at`, which moves behind it.
  Status add(std::size_t& at, bool may_refer) {
    begin_ = at;
    DICUBE_ASSIGN(const auto head, take(at, 2));
    const auto kind = static_cast<unsigned>(head[0]);
    const auto length = static_cast<std::size_t>(head[1]);
    if (length == 0) return wrong("is empty");  // it would take time and add nothing
    if (kind == kReference && may_refer) return add_again(at, length);
    if (kind != kRun && kind != kLine) return wrong("is of a kind that may not stand there");
    if (length > most_ - entries_.size()) return wrong("has more entries than there are to be");
    DICUBE_ASSIGN(const auto values, take(at, kind == kRun ? length : 1));
    if (kind == kRun) {
      entries_.insert(entries_.end(), values.begin(), values.end());
      return {};
    }
    if (entries_.empty()) return wrong("is a line from nowhere");
    const double from = entries_.back(), step = (values[0] - from) / static_cast<double>(length);
    for (std::size_t i = 1; i <= length; ++i) entries_.push_back(std::nearbyint(from + step * static_cast<double>(i)));
    return {};
  }

  // Segments that stand before, from a place in bytes on, whose lowest ones are first.
  Status add_again(std::size_t& at, std::size_t count) {
    const std::size_t own = begin_;
    DICUBE_ASSIGN(const auto place, take(at, 4 / bytes_each_));
    double bytes = 0;
    for (std::size_t i = place.size(); i-- > 0;) bytes = bytes * std::exp2(8 * bytes_each_) + place[i];
    auto target = static_cast<std::size_t>(bytes) / bytes_each_;
    if (target >= own) return wrong("refers to what is not before it");
    for (std::size_t i = 0; i < count; ++i) DICUBE_TRY(add(target, false));
    return {};
  }

  Result<std::span<const double>> take(std::size_t& at, std::size_t count) {
    if (count > units_.size() - at) return wrong("is cut off");
    at += count;
    return units_.subspan(at - count, count);
  }

  tl::unexpected<Error> wrong(const char* why) const {
    return fail(ErrorClass::kUnsupported, "the segment at byte {} {}", begin_ * bytes_each_, why);
  }

  std::span<const double> units_;
  std::size_t bytes_each_, most_, begin_ = 0;  // begin_: of the segment that is read
  std::vector<double> entries_;
};

}  // namespace

Result<std::vector<double>> entries_of_segments(std::span<const double> units, std::size_t bytes_each,
                                                std::size_t most) {
  return Segments(units, bytes_each, most).entries();
}

}  // namespace dicube::cli
