#include "runtime/team.h"

#include <cfenv>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace staticflow {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// Long enough for members without work to fall asleep, on a busy machine as well.
void LetMembersSleep() { std::this_thread::sleep_for(50 * Team::kSpinTime); }

TEST(TeamTest, EveryWorkerIsCalledOnce) {
  for (int workers : {2, 4, 3, 1, 2}) {
    for (int round = 0; round < 100; ++round) {
      Team::Lease lease(workers);
      ASSERT_EQ(lease.workers(), workers);
      std::vector<int> calls(workers);
      lease.Run([&](int worker) { ++calls[worker]; });
      EXPECT_EQ(calls, std::vector<int>(workers, 1));
    }
  }
}

TEST(TeamTest, SleepersWakeForWork) {
  for (int round = 0; round < 5; ++round) {
    LetMembersSleep();
    Team::Lease lease(3);
    std::atomic<int> calls = 0;
    lease.Run([&](int) { ++calls; });
    EXPECT_EQ(calls, 3);
  }
}

TEST(TeamTest, OneStepHasTheTeam) {
  Team::Lease first(2);
  ASSERT_EQ(first.workers(), 2);
  int workers = 0;
  std::thread([&] { workers = Team::Lease(2).workers(); }).join();
  EXPECT_EQ(workers, 1);
}

TEST(TeamTest, ASmallStepDoesNotWaitForSleepers) {
  const nanoseconds small = Team::kWorthWaking - microseconds(1), large = Team::kWorthWaking;
  { Team::Lease open(2); }
  int tries = 0;
  do {
    LetMembersSleep();
  } while (Team::Lease(2, small.count()).workers() == 2 && ++tries < 100);
  EXPECT_LT(tries, 100);
  EXPECT_EQ(Team::Lease(2, large.count()).workers(), 2);
}

TEST(TeamTest, SmallStepsThatFollowEachOtherWakeTheTeam) {
  { Team::Lease open(2); }
  LetMembersSleep();
  // Other processes may delay any of them, but hardly all.
  int with_team = 0;
  for (int step = 0; step < 1000 && with_team == 0; ++step) {
    with_team += Team::Lease(2, 1).workers() == 2;
    const auto end = std::chrono::steady_clock::now() + Team::kSpinTime / 4;
    while (std::chrono::steady_clock::now() < end) {
    }
  }
  EXPECT_GT(with_team, 0);
}

TEST(TeamTest, CallersOnManyThreadsShareIt) {
  std::atomic<int> sum = 0, wanted = 0;
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < 200; ++i) {
        Team::Lease lease(2 + c % 3);
        wanted += lease.workers();
        lease.Run([&](int) { ++sum; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, wanted);
}

TEST(TeamTest, MembersRoundAsTheirCallerDoes) {
  const volatile float one = 1, three = 3;
  for (int mode : {FE_UPWARD, FE_DOWNWARD, FE_TONEAREST}) {
    std::fesetround(mode);
    std::vector<float> thirds(3);
    Team::Lease(3).Run([&](int worker) { thirds[worker] = one / three; });
    const float want = one / three;
    EXPECT_EQ(thirds, std::vector<float>(3, want)) << mode;
  }
}

TEST(TeamBarrierTest, WhatOthersDidBeforeIsVisible) {
  constexpr int kRounds = 300;
  for (int workers : {1, 2, 3, 4}) {
    Team::Lease lease(workers);
    TeamBarrier barrier(workers);
    std::vector<int> counts(workers);
    std::atomic<int> wrong = 0;
    lease.Run([&](int worker) {
      for (int round = 1; round <= kRounds; ++round) {
        ++counts[worker];
        if (!barrier.Wait(worker)) ++wrong;
        for (int count : counts) wrong += count != round;
        if (!barrier.Wait(worker)) ++wrong;
      }
    });
    EXPECT_EQ(wrong, 0) << workers;
  }
}

// However the workers are delayed, all do the round in which one fails, and none does the next.
TEST(TeamBarrierTest, AllLeaveWhereTheFirstFailed) {
  for (int workers : {2, 3, 4}) {
    TeamBarrier barrier(workers);
    Team::Lease lease(workers);
    for (int round = 0; round < 200; ++round) {
      const int failing = round % workers, last = round % 5;
      std::vector<int> done(workers);
      barrier.Reset();
      lease.Run([&](int worker) {
        for (int i = 0; i < 10; ++i) {
          if (round % 7 == worker) std::this_thread::yield();
          ++done[worker];
          if (worker == failing && i == last) return barrier.Fail(worker);
          if (!barrier.Wait(worker)) return;
        }
      });
      EXPECT_EQ(done, std::vector<int>(workers, last + 1)) << workers << " workers, round " << round;
    }
  }
}

}  // namespace
}  // namespace staticflow
