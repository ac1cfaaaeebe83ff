// Work on several threads for the length of one call.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "dicube/error.h"

namespace dicube {

// Runs work(item, worker) for every item in [0, items), on at most `threads` threads (the caller's
// is one of them, and the only one where the system starts no others); worker is in [0, threads).
// Items start in ascending order. `threads` 0 means one per processor. Returns when all are done.
// The first exception a worker throws is thrown here.
void parallel_for(std::size_t items, unsigned threads,
                  const std::function<void(std::size_t item, unsigned worker)>& work);

// The same for work(item) that may fail: the first error in the items' order. Once one fails no more are started.
template <class Work>
Status try_parallel(std::size_t items, unsigned threads, Work work) {
  std::vector<std::optional<Error>> errors(items);
  std::atomic<bool> failed = false;
  parallel_for(items, threads, [&](std::size_t item, unsigned) {
    if (failed) return;
    Status done = work(item);
    if (done) return;
    errors[item] = std::move(done).error();
    failed = true;
  });
  for (auto& error : errors)
    if (error) return tl::unexpected<Error>(*std::move(error));
  return {};
}

// Takes items in order that workers get ready in any: each worker that finds the next one ready goes on with it and
// with those behind it that are ready, too, one worker at a time; the others don't wait. The first error ends it.
class InOrder {
 public:
  InOrder(std::size_t items, std::function<Status(std::size_t item)> take) : ready_(items), take_(std::move(take)) {}

  // What it takes may throw; no more is taken then.
  void ready(std::size_t item);
  // All that are left are ready; returns the first error. REQUIRES: no worker is at it any more.
  Status finish();
  bool has_failed() const { return failed_; }

 private:
  std::mutex mutex_;
  std::vector<bool> ready_;
  std::function<Status(std::size_t)> take_;
  std::size_t next_ = 0;
  bool taking_ = false;
  std::atomic<bool> failed_ = false;
  Status status_;
};

// `threads`, or the number of processors this process may use when it is 0.
unsigned thread_count(unsigned threads);

}  // namespace dicube
