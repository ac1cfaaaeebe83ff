// Frames that others have as their references, decoded: kept for a while, so that neighbours need not decode them
// again.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "format/frame_index.h"

namespace dicube::archive {

using Pixels = std::shared_ptr<const Bytes>;

class ReferenceCache {
 public:
  static constexpr std::size_t kMost = std::size_t{64} << 20;  // bytes

  // Keeps no more frames than reading in order or backwards needs, where references are at most so far back.
  void set_farthest(std::size_t back);
  Pixels find(std::size_t frame, bool planar) const;
  // The frames that came first go when there is no room.
  void keep(std::size_t frame, bool planar, const Pixels& pixels);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Pixels> frames_;
  std::deque<std::uint64_t> order_;
  std::size_t bytes_ = 0, most_frames_ = ~std::size_t{0};
};

// The frames first .. first + count - 1, those of a chain apart from one another, that threads which take them in turn
// need not wait: in windows, by the number of frames before each in its chain. References stand before those that need
// them.
std::vector<std::size_t> reading_order(const format::FrameIndex& index, std::size_t first, std::size_t count);

}  // namespace dicube::archive
