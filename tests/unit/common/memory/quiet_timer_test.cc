#include "common/memory/quiet_timer.h"

#include <chrono>
#include <future>
#include <memory>

#include <gtest/gtest.h>

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(QuietTimerTest, CallsOnceAllHasEndedAndTheWaitIsOver) {
  std::promise<steady_clock::time_point> called;
  QuietTimer timer(milliseconds(50), [&] { called.set_value(steady_clock::now()); });
  QuietTimer::Busy first = timer.Begin();
  QuietTimer::Busy second = timer.Begin();
  first.reset();
  const auto ended = steady_clock::now();
  second.reset();

  EXPECT_GE(called.get_future().get() - ended, milliseconds(50));
}

TEST(QuietTimerTest, WhatBeginsMeanwhilePutsItOff) {
  int calls = 0;
  {
    QuietTimer timer(hours(1), [&] { ++calls; });
    timer.Begin().reset();
    const QuietTimer::Busy again = timer.Begin();
  }
  EXPECT_EQ(calls, 0) << "and its end does not wait";
}

}  // namespace
}  // namespace millrace
