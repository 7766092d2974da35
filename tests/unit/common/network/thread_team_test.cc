#include "common/network/thread_team.h"

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::network {
namespace {

TEST(ThreadTeamTest, CallsTheRegionOnceOnEachMember) {
  for (const int size : {1, 2, 3, 8}) {
    ThreadTeam team(size);
    for (int repeat = 0; repeat < 200; ++repeat) {
      std::array<std::atomic<int>, 8> calls{};
      team.Run([&](ThreadTeam::Member& member) {
        EXPECT_EQ(member.count(), size);
        calls.at(static_cast<std::size_t>(member.index())).fetch_add(1);
      });
      for (int i = 0; i < 8; ++i) {
        ASSERT_EQ(calls.at(static_cast<std::size_t>(i)).load(), i < size ? 1 : 0);
      }
    }
  }
}

// Plain ints: a barrier that leaks would be a wrong sum here and a race under ThreadSanitizer.
TEST(ThreadTeamTest, WritesBeforeABarrierAreSeenAfterIt) {
  constexpr int kSize = 3;
  ThreadTeam team(kSize);
  std::array<int, kSize> values{};
  team.Run([&](ThreadTeam::Member& member) {
    for (int round = 1; round <= 500; ++round) {
      values.at(static_cast<std::size_t>(member.index())) = round;
      member.Barrier();
      EXPECT_EQ(values[0] + values[1] + values[2], kSize * round);
      member.Barrier();
    }
  });
}

TEST(ThreadTeamTest, WakesAfterItHasSlept) {
  ThreadTeam team(2);
  int sum = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    team.Run([&](ThreadTeam::Member& member) {
      if (member.index() == 1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ++sum;
      }
      member.Barrier();
    });
  }

  EXPECT_EQ(sum, 3);
}

TEST(ThreadTeamTest, PartsCoverTheWholeOnceInMultiplesOfTheGrain) {
  for (const int size : {1, 2, 3, 5}) {
    ThreadTeam team(size);
    for (const std::int64_t grain : {1, 16, 32}) {
      for (const std::int64_t count : {0, 1, 15, 16, 17, 100, 1000}) {
        std::int64_t next = 0;
        for (int i = 0; i < size; ++i) {
          const kernels::Range part = ThreadTeam::Member(team, i).Part(count, grain);
          EXPECT_EQ(part.first, next);
          EXPECT_TRUE(part.first % grain == 0 || part.first == count);
          next = part.last;
        }
        EXPECT_EQ(next, count);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::network
