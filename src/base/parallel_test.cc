#include "base/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <string>
#include <vector>

namespace dicube {
namespace {

TEST(ParallelFor, DoesEveryItemOnce) {
  std::vector<std::atomic<int>> done(1000);
  parallel_for(done.size(), 4, [&](std::size_t item, unsigned) { ++done[item]; });
  for (const auto& times : done) EXPECT_EQ(times, 1);
}

TEST(ParallelFor, WorksAloneWhereTheSystemStartsNoThreads) {
  pthread_attr_t usual, impossible;
  pthread_getattr_default_np(&usual);
  pthread_attr_init(&impossible);
  pthread_attr_setstacksize(&impossible, std::size_t{1} << 60);
  pthread_setattr_default_np(&impossible);
  std::vector<int> workers(10, -1);
  parallel_for(workers.size(), 4, [&](std::size_t item, unsigned worker) { workers[item] = static_cast<int>(worker); });
  pthread_setattr_default_np(&usual);
  EXPECT_EQ(workers, std::vector<int>(10, 0));
}

TEST(TryParallel, GivesTheFirstErrorInOrderAndBeginsNoMoreThen) {
  for (const unsigned threads : {1U, 4U}) {
    std::atomic<int> begun = 0;
    const Status done = try_parallel(1000, threads, [&](std::size_t item) -> Status {
      ++begun;
      if (item < 10) return {};
      return tl::unexpected<Error>(Error{ErrorClass::kCodec, std::to_string(item)});
    });
    EXPECT_EQ(done.error().message, "10");
    EXPECT_LE(begun, 10 + static_cast<int>(threads));
  }
}

}  // namespace
}  // namespace dicube
