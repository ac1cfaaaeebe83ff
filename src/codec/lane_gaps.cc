#include "codec/lane_gaps.h"

#include <algorithm>
#include <functional>

#include "codec/lane_bits.h"
#include "codec/lane_simd.h"

namespace dicube::codec::lane {
namespace {

constexpr std::uint64_t kLooked = 16384;  // pixels that are counted, about
constexpr std::uint32_t kFewer = 4;       // of them less: their differences are compared
constexpr unsigned kLooks = 4;            // into few gaps alone, before all values are noted

// So many of them; the others stay open.
Gaps longest(const Gaps& gaps, std::size_t count) {
  std::vector<std::uint16_t> lengths;
  lengths.reserve(gaps.size());
  for (const Gap& gap : gaps) lengths.push_back(gap.length);
  const auto last = lengths.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(lengths.begin(), last, lengths.end(), std::greater());
  const std::uint16_t least = *last;
  Gaps kept;
  unsigned open = 0;
  for (const Gap& gap : gaps) {
    if (gap.length >= least && kept.size() < count)
      kept.push_back({static_cast<std::uint16_t>(gap.start + open), gap.length});
    else
      open += gap.length;
  }
  return kept;
}

}  // namespace

// Notes the values of every `step`-th row from `first` on.
void GapFinder::look(std::span<const std::uint16_t> values, Size size, std::uint32_t first, std::uint32_t step) {
  std::uint8_t* const seen = seen_.data();
  const std::uint16_t low = low_;
  for (std::uint32_t y = first; y < size.rows; y += step) {
    const std::uint16_t* row = &values[std::size_t{y} * size.columns];
#pragma GCC unroll 8
    for (std::uint32_t x = 0; x < size.columns; ++x) seen[static_cast<std::uint16_t>(row[x] - low)] = 1;
  }
}

void GapFinder::count(std::span<const std::uint16_t> values, Size size) {
  counted_ = 0;
  for (std::uint32_t y = step_ / 2; y < size.rows; y += step_) {
    const std::uint16_t* row = &values[std::size_t{y} * size.columns];
    for (std::uint32_t x = 0; x < size.columns; ++x) ++counts_[static_cast<std::uint16_t>(row[x] - low_)];
    counted_ += size.columns;
  }
}

// Between values that have been seen, with a good part of those that were counted on both sides.
Gaps GapFinder::gaps_seen() const {
  const std::uint64_t least = counted_ / 64 + 1;
  Gaps gaps;
  std::uint64_t below = 0;
  std::uint32_t closed = 0, empty = 0;
  for (std::size_t i = 0; i < counts_.size() && counted_ - below >= least; ++i) {
    if (seen_[i] == 0) {
      ++empty;
      continue;
    }
    if (empty > 0 && below >= least)
      gaps.push_back({static_cast<std::uint16_t>(closed), static_cast<std::uint16_t>(empty)});
    else
      closed += empty;  // not worth it: as if its values were there
    empty = 0;
    below += counts_[i];
    ++closed;
  }
  return gaps;
}

std::int64_t GapFinder::saved_bits(std::span<const std::uint16_t> values, Size size, const Gaps& gaps) {
  closed_.resize(counts_.size());
  std::size_t i = 0, open = 0;
  const auto fill_to = [&](std::size_t end) {
    for (end = std::min(end, closed_.size()); i < end; ++i) closed_[i] = static_cast<std::uint16_t>(i - open);
  };
  for (const Gap& gap : gaps) {
    fill_to(gap.start + open + gap.length);
    open += gap.length;
  }
  fill_to(closed_.size());
  std::int64_t saved = 0;
  const std::uint32_t step = step_ * kFewer;
  for (std::uint32_t y = step_ / 2; y < size.rows; y += step) {
    const std::uint16_t* row = &values[std::size_t{y} * size.columns];
    for (std::uint32_t x = 1; x < size.columns; ++x) {
      const auto a = static_cast<std::uint16_t>(row[x - 1] - low_), b = static_cast<std::uint16_t>(row[x] - low_);
      const int difference = b - a, closed = closed_[b] - closed_[a];
      if (difference != closed) saved += bits_of_difference(difference) - bits_of_difference(closed);
    }
  }
  return saved * step / 16;
}

// The gaps seen so far, when closing them pays; the longest ones alone where they do nearly all of it.
Gaps GapFinder::paying(std::span<const std::uint16_t> values, Size size) {
  Gaps gaps = gaps_seen();
  if (gaps.empty()) return gaps;
  std::int64_t saved = saved_bits(values, size, gaps);
  if (gaps.size() > kFewGaps && saved > 0) {
    Gaps few = longest(gaps, kFewGaps);
    const std::int64_t saved_by_few = saved_bits(values, size, few);
    if (saved_by_few >= saved - saved / 8) {
      gaps = std::move(few);
      saved = saved_by_few;
    }
  }
  return saved > 8 * static_cast<std::int64_t>(bytes_of(gaps)) ? gaps : Gaps();
}

Gaps GapFinder::find(std::span<const std::uint16_t> values, Size size, std::int32_t low, std::int32_t high) {
  low_ = static_cast<std::uint16_t>(low);
  step_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, size.pixels() / kLooked));
  counts_.assign(static_cast<std::size_t>(high - low) + 1, 0);
  seen_.assign(counts_.size(), 0);
  count(values, size);
  std::transform(counts_.begin(), counts_.end(), seen_.begin(), [](std::uint32_t count) { return count > 0 ? 1 : 0; });
  Gaps gaps = paying(values, size);
  // What is no gap seldom seems one after a second look.
  unsigned looks = 0;
  for (std::uint32_t step = step_; step > 1 && !gaps.empty();) {
    if (gaps.size() <= kFewGaps && ++looks <= kLooks) {
      if (!look_into_gaps(values, gaps, low_, seen_.data())) break;
    } else {
      step = step > 4 ? step / 4 : 1;
      look(values, size, 0, step);
    }
    gaps = paying(values, size);
  }
  return gaps;
}

std::vector<std::uint16_t> added_by(const Gaps& gaps) {
  std::vector<std::uint16_t> added(std::size_t{gaps.back().start} + 1);
  std::size_t next = 0;
  unsigned sum = 0;
  for (std::size_t i = 0; i < added.size(); ++i) {
    if (i == gaps[next].start) sum += gaps[next++].length;
    added[i] = static_cast<std::uint16_t>(sum);
  }
  return added;
}

OpenGaps::OpenGaps(const Gaps& gaps) {
  unsigned open = 0;
  for (const Gap& gap : gaps) {
    starts.push_back(static_cast<std::uint16_t>(gap.start + open));
    open += gap.length;
    ends.push_back(static_cast<std::uint16_t>(gap.start + open));
    lengths.push_back(gap.length);
  }
}

void close_gaps(std::span<const std::uint16_t> values, const Gaps& gaps, std::int32_t low, std::uint16_t centre,
                std::int16_t* out) {
  if (gaps.size() <= kFewGaps) return close_few_gaps(values, gaps, low, centre, out);
  const OpenGaps open(gaps);
  std::vector<std::uint16_t> removed(1 << 16);
  for (std::size_t i = 0, next = 0, sum = centre; i < removed.size(); ++i) {
    while (next < open.ends.size() && i >= open.ends[next]) sum += open.lengths[next++];
    removed[i] = static_cast<std::uint16_t>(sum);
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    out[i] = static_cast<std::int16_t>(
        values[i] - removed[static_cast<std::uint16_t>(values[i] - static_cast<std::uint32_t>(low))]);
}

}  // namespace dicube::codec::lane
