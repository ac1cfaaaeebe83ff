#include "base/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"

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

TEST(InOrder, TakesItemsInOrderOneAtATimeHoweverTheyGetReady) {
  for (const unsigned threads : {1U, 4U}) {
    std::vector<std::size_t> taken;  // without a lock: one at a time
    InOrder order(1000, [&](std::size_t item) -> Status {
      taken.push_back(item);
      return {};
    });
    parallel_for(1000, threads, [&](std::size_t item, unsigned) { order.ready(item ^ 7U); });
    EXPECT_TRUE(order.finish());
    ASSERT_EQ(taken.size(), 1000U);
    EXPECT_TRUE(std::ranges::is_sorted(taken));
  }
}

TEST(InOrder, TakesWhatWorkersDidNotGetReadyInTheEnd) {
  std::vector<std::size_t> taken;
  InOrder order(10, [&](std::size_t item) -> Status {
    taken.push_back(item);
    return {};
  });
  for (const std::size_t item : {0, 1, 3, 9}) order.ready(item);
  EXPECT_EQ(taken, std::vector<std::size_t>({0, 1}));
  EXPECT_TRUE(order.finish());
  EXPECT_EQ(taken, std::vector<std::size_t>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(InOrder, TakesNoMoreAfterAnError) {
  std::atomic<int> taken = 0;
  InOrder order(100, [&](std::size_t item) -> Status {
    ++taken;
    if (item < 10) return {};
    return fail(ErrorClass::kIo, "{}", item);
  });
  parallel_for(100, 4, [&](std::size_t item, unsigned) { order.ready(item); });
  EXPECT_TRUE(order.has_failed());
  EXPECT_EQ(order.finish().error().message, "10");
  EXPECT_EQ(taken, 11);
}

}  // namespace
}  // namespace dicube
