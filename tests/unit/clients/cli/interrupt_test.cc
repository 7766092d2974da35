#include "clients/cli/interrupt.h"

#include <csignal>
#include <cstdlib>
#include <functional>
#include <latch>
#include <stop_token>

#include <gtest/gtest.h>
#include <unistd.h>

namespace millrace::cli {
namespace {

// Sends `signal` to this process and returns when it has become a wish to stop.
void SendAndSee(const Interrupt& interrupt, int signal) {
  std::latch seen(1);
  const std::stop_callback<std::function<void()>> on_stop(interrupt.stop(),
                                                          [&seen] { seen.count_down(); });
  kill(getpid(), signal);
  seen.wait();
}

// Signals go to a whole process, so each test has one of its own: a death test that exits.
class InterruptDeathTest : public testing::Test {
 protected:
  InterruptDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(InterruptDeathTest, NothingIsAskedWithoutASignal) {
  EXPECT_EXIT(
      {
        const Interrupt interrupt;
        std::_Exit(interrupt.stop().stop_requested() ? 1 : 42);
      },
      testing::ExitedWithCode(42),
      "");
}

TEST_F(InterruptDeathTest, TheFirstSignalAsksToStop) {
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          const Interrupt interrupt;
          SendAndSee(interrupt, signal);
          std::_Exit(interrupt.stop().stop_requested() ? 42 : 1);
        },
        testing::ExitedWithCode(42),
        "");
  }
}

TEST_F(InterruptDeathTest, TheSecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        const Interrupt interrupt;
        SendAndSee(interrupt, SIGINT);
        kill(getpid(), SIGINT);
        while (true) {
          pause();
        }
      },
      testing::ExitedWithCode(130),
      "");
}

TEST_F(InterruptDeathTest, ItEndsWithoutASignal) {
  EXPECT_EXIT(
      {
        { const Interrupt interrupt; }
        std::_Exit(42);
      },
      testing::ExitedWithCode(42),
      "");
}

}  // namespace
}  // namespace millrace::cli
