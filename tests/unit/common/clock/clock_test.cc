#include "common/clock/clock.h"

#include <chrono>

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(ClockTest, SystemClockAgreesWithTheStandardOne) {
  const auto before = std::chrono::system_clock::now();
  const auto now = SystemClock().Now();
  const auto after = std::chrono::system_clock::now();

  EXPECT_LE(before, now);
  EXPECT_LE(now, after);
}

}  // namespace
}  // namespace millrace
