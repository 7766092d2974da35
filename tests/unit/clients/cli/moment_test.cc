#include "clients/cli/moment.h"

#include <chrono>
#include <future>
#include <stop_token>

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(MomentTest, ItAsksToStopWhenItIsOverAndNotBefore) {
  const auto begin = std::chrono::steady_clock::now();
  const Moment moment;
  std::promise<void> over;
  const std::stop_callback on_stop(moment.stop(), [&over] { over.set_value(); });
  over.get_future().wait();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, kMoment);
}

TEST(MomentTest, OneThatIsLeftEarlyIsNotWaitedFor) {
  const auto begin = std::chrono::steady_clock::now();
  { const Moment moment; }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kMoment);
}

}  // namespace
}  // namespace millrace::cli
