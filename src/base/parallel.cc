#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace dicube {

unsigned thread_count(unsigned threads) {
  if (threads != 0) return threads;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&allowed)));
  return std::max(1U, std::thread::hardware_concurrency());
}

void parallel_for(std::size_t items, unsigned threads,
                  const std::function<void(std::size_t item, unsigned worker)>& work) {
  threads = static_cast<unsigned>(std::min<std::size_t>(thread_count(threads), items));
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex failure_mutex;
  auto run = [&](unsigned worker) {
    try {
      for (std::size_t item; (item = next.fetch_add(1)) < items;) work(item, worker);
    } catch (...) {
      std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      next = items;
    }
  };
  {
    std::vector<std::jthread> others;
    try {
      for (unsigned worker = 1; worker < threads; ++worker) others.emplace_back(run, worker);
    } catch (const std::system_error&) {
      // The system allows no more threads: those that there are do the work.
    }
    run(0);
  }
  if (failure) std::rethrow_exception(failure);
}

void InOrder::ready(std::size_t item) {
  std::unique_lock lock(mutex_);
  ready_[item] = true;
  if (taking_) return;
  for (taking_ = true; next_ < ready_.size() && ready_[next_] && status_; ++next_) {
    lock.unlock();
    Status taken = take_(next_);
    lock.lock();
    if (taken) continue;
    status_ = std::move(taken);
    failed_ = true;
  }
  taking_ = false;
}

Status InOrder::finish() {
  for (std::size_t item = next_; item < ready_.size() && status_; ++item) ready(item);
  return status_;
}

}  // namespace dicube
