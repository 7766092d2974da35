#include "common/statistics/distinct_counter.h"

#include <span>
#include <string>

#include <gtest/gtest.h>

namespace millrace::statistics {
namespace {

void Add(DistinctCounter& to, double number) {
  to.AddNumbers(std::span<const double>(&number, 1));
}

TEST(DistinctCounterTest, IsExactUpToItsLimit) {
  DistinctCounter counter;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 4096; ++i) {
      Add(counter, i);
    }
  }
  EXPECT_EQ(counter.Count(), 4096);
  EXPECT_FALSE(counter.is_estimate());

  Add(counter, 4096);
  EXPECT_TRUE(counter.is_estimate());
}

TEST(DistinctCounterTest, ZeroHasNoSign) {
  DistinctCounter counter;
  Add(counter, 0.0);
  Add(counter, -0.0);

  EXPECT_EQ(counter.Count(), 1);
}

// Goal: the estimate is within four standard errors (0.8 % each) at every size.
TEST(DistinctCounterTest, EstimatesWithinThreePercent) {
  DistinctCounter numbers;
  DistinctCounter texts;
  int added = 0;
  for (const int size : {5'000, 20'000, 50'000, 200'000, 1'000'000}) {
    for (; added < size; ++added) {
      Add(numbers, added * 0.1);
      texts.AddText("user " + std::to_string(added));
    }
    EXPECT_NEAR(static_cast<double>(numbers.Count()), size, 0.032 * size);
    EXPECT_NEAR(static_cast<double>(texts.Count()), size, 0.032 * size);
  }
}

TEST(DistinctCounterTest, MergingEqualsAddingEverything) {
  for (const int size : {100, 3'000, 9'000}) {
    DistinctCounter left;
    DistinctCounter right;
    DistinctCounter all;
    for (int i = 0; i < size; ++i) {
      const int shifted = i + size / 2;
      Add(left, i);
      Add(right, shifted);
      Add(all, i);
      Add(all, shifted);
    }
    DistinctCounter reversed = right;
    reversed.Merge(left);
    left.Merge(right);

    EXPECT_EQ(left.Count(), all.Count());
    EXPECT_EQ(reversed.Count(), all.Count());
    EXPECT_EQ(left.is_estimate(), all.is_estimate());
  }
}

}  // namespace
}  // namespace millrace::statistics
