#include "common/telemetry/rate_limit.h"

#include <chrono>

#include <gtest/gtest.h>

namespace millrace::log {
namespace {

TEST(RateLimitTest, AdmitsItsNumberASecondAndCountsTheRest) {
  RateLimit limit(2);
  const std::chrono::steady_clock::time_point start;
  const auto at = [&](int milliseconds) { return start + std::chrono::milliseconds(milliseconds); };

  EXPECT_TRUE(limit.Ask(at(0)).admitted);
  EXPECT_TRUE(limit.Ask(at(1)).admitted);
  EXPECT_FALSE(limit.Ask(at(2)).admitted);
  EXPECT_FALSE(limit.Ask(at(999)).admitted);

  const RateLimit::Answer next = limit.Ask(at(1'000));
  EXPECT_TRUE(next.admitted);
  EXPECT_EQ(next.dropped, 2);
  EXPECT_EQ(limit.Ask(at(1'001)).dropped, 0);
  EXPECT_FALSE(limit.Ask(at(1'002)).admitted);
}

}  // namespace
}  // namespace millrace::log
