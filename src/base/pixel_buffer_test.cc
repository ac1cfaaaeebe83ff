#include "dicube/pixel_buffer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <limits>
#include <new>
#include <thread>
#include <vector>

namespace dicube {
namespace {

constexpr std::size_t kLarge = std::size_t{5} << 20;

void fill(const PixelBuffer& buffer, int value) {
  std::fill(buffer.span().begin(), buffer.span().end(), static_cast<std::byte>(value));
}
bool is_full_of(const PixelBuffer& buffer, int value) {
  return std::all_of(buffer.span().begin(), buffer.span().end(),
                     [value](std::byte byte) { return byte == static_cast<std::byte>(value); });
}

TEST(PixelBuffer, OfAnySizeIsMemoryOfItsOwn) {
  std::vector<PixelBuffer> buffers;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, kLarge, kLarge + 1, kLarge - 1})
    buffers.emplace_back(size);
  for (std::size_t i = 0; i < buffers.size(); ++i) fill(buffers[i], static_cast<int>(i));
  for (std::size_t i = 0; i < buffers.size(); ++i) EXPECT_TRUE(is_full_of(buffers[i], static_cast<int>(i))) << i;
}

TEST(PixelBuffer, MovesAndThenIsEmpty) {
  PixelBuffer from(kLarge);
  fill(from, 7);
  PixelBuffer to(std::move(from));
  EXPECT_EQ(from.size(), 0U);  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): that is what is asked
  EXPECT_TRUE(is_full_of(to, 7));
  PixelBuffer other(1000);
  other = std::move(to);
  EXPECT_EQ(other.size(), kLarge);
  EXPECT_TRUE(is_full_of(other, 7));
}

#ifdef __linux__
TEST(PixelBuffer, TakesTheMemoryOfTheLargeOneThatWasFreedLastWhereItSuits) {
  const std::byte* place = PixelBuffer(kLarge).data();
  EXPECT_EQ(PixelBuffer(kLarge - 100).data(), place);
  const PixelBuffer smaller(kLarge / 2), first(kLarge);  // the smaller one has it now
  EXPECT_EQ(smaller.data(), place);
  EXPECT_NE(first.data(), place);
}

TEST(PixelBuffer, DoesNotTakeMemoryFarLargerThanItNeeds) {
  const std::byte* place = PixelBuffer(64 * kLarge).data();
  const PixelBuffer small(kLarge);
  EXPECT_NE(small.data(), place);
}

// Of a child of fork: whether there is memory for a large buffer, where there is not for the one before as well.
bool has_room_for_one_at_a_time() {
  { const PixelBuffer before(8 * kLarge); }
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t used = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  const rlimit most = {used + 6 * kLarge, used + 6 * kLarge};
  if (setrlimit(RLIMIT_AS, &most) != 0) return false;
  try {
    const PixelBuffer next(10 * kLarge);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

TEST(PixelBuffer, GivesBackWhatDoesNotSuitBeforeItTakesMore) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(has_room_for_one_at_a_time() ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
#endif

TEST(PixelBuffer, ServesManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([thread, &wrong] {
      for (int round = 0; round < 50; ++round) {
        const PixelBuffer buffer(std::size_t{2} << 20);
        fill(buffer, thread);
        if (!is_full_of(buffer, thread)) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(PixelBuffer, OfAParentIsNotItsChilds) {
  const PixelBuffer alive(kLarge);
  fill(alive, 1);
  { const PixelBuffer gone(kLarge); }
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const PixelBuffer own(kLarge);
    fill(own, 2);
    _exit(is_full_of(own, 2) && is_full_of(alive, 1) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(is_full_of(alive, 1));
}

TEST(PixelBuffer, TooLargeForTheAddressSpaceThrows) {
  EXPECT_THROW(PixelBuffer(std::size_t{1} << 62), std::bad_alloc);
  EXPECT_THROW(PixelBuffer{std::numeric_limits<std::size_t>::max()}, std::bad_alloc);
}

}  // namespace
}  // namespace dicube
