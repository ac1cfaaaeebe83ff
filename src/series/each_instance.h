// One work for all instances of an archive: as unpacking and verifying have it.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "archive/state.h"
#include "base/parallel.h"
#include "dicube/series.h"
#include "series/call.h"

namespace dicube::series {

// Errors of instances by cause: damage that several of them meet, as that of their metadata, is one error of the
// archive.
std::vector<Error> by_cause(const Archive& archive, const std::string& path, std::vector<std::optional<Error>> failed);

// Who is done, and with what errors.
class EachInstance {
 public:
  EachInstance(const Archive& archive, Progress::Phase phase, const CallOptions& options)
      : archive_(archive), options_(options), failed_(archive.instances().size()) {
    progress_ = {phase, 0, archive.instances().size(), 0, archive.info().source_bytes};
  }

  // work(i, buffer) for every instance, the buffer being the thread's own, until the target takes nothing more.
  template <class Work>
  void run(Work work) {
    std::vector<Bytes> buffers(thread_count(options_.threads));
    const std::vector<std::size_t> order = ArchiveAccess::reading_order(archive_);
    parallel_for(order.size(), options_.threads, [&](std::size_t turn, unsigned worker) {
      if (!check_cancel(options_)) return;
      if (stopped_)
        ++not_tried_;
      else
        work(order[turn], buffers[worker]);
    });
  }

  // For work(), of each instance, then or later.
  void done(std::size_t i, std::optional<Error> error = {}) {
    std::lock_guard lock(mutex_);
    const bool well = !error;
    if (error && writes_no_more(*error) && stopped_.exchange(true))  // one error says it
      ++not_tried_;
    else
      failed_[i] = std::move(error);
    count(progress_, archive_.instances()[i].size, options_);
    if (options_.on_file && well) options_.on_file(progress_.phase, archive_.instances()[i].name);
  }

  template <class Report>
  void finish(Report& report) {
    const auto is_folder = [](const Instance& instance) { return instance.is_folder; };
    report.folders =
        static_cast<std::uint64_t>(std::count_if(archive_.instances().begin(), archive_.instances().end(), is_folder));
    report.failed = static_cast<std::uint64_t>(
        std::count_if(failed_.begin(), failed_.end(), [](const auto& error) { return error.has_value(); }));
    if constexpr (requires { report.not_tried; }) report.not_tried = not_tried_;
    report.errors = by_cause(archive_, report.archive, std::move(failed_));
  }

 private:
  const Archive& archive_;
  const CallOptions& options_;
  std::vector<std::optional<Error>> failed_;
  Progress progress_;
  std::mutex mutex_;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::size_t> not_tried_ = 0;
};

}  // namespace dicube::series
