#include "common/statistics/moments.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::statistics {
namespace {

Moments Of(const std::vector<double>& numbers) {
  Moments moments;
  for (const double number : numbers) {
    moments.Add(number);
  }
  return moments;
}

TEST(MomentsTest, MeasuresWhatCanBeReckonedByHand) {
  const Moments moments = Of({2, 4, 4, 4, 5, 5, 7, 9});

  EXPECT_EQ(moments.count(), 8);
  EXPECT_DOUBLE_EQ(moments.mean(), 5);
  EXPECT_DOUBLE_EQ(moments.StandardDeviation(), 2);
  EXPECT_EQ(moments.minimum(), 2);
  EXPECT_EQ(moments.maximum(), 9);
}

// Goal: a mean far larger than the deviation does not swallow it, as the sum of squares would.
TEST(MomentsTest, KeepsASmallDeviationAroundALargeMean) {
  const Moments moments = Of({1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16});

  EXPECT_NEAR(moments.StandardDeviation(), std::sqrt(22.5), 1e-9);
}

TEST(MomentsTest, MergingEqualsAddingEverything) {
  Moments left = Of({1, 2, 30});
  left.Merge(Of({-4, 5.5, 6, 70}));
  const Moments all = Of({1, 2, 30, -4, 5.5, 6, 70});

  EXPECT_EQ(left.count(), all.count());
  EXPECT_NEAR(left.mean(), all.mean(), 1e-12);
  EXPECT_NEAR(left.StandardDeviation(), all.StandardDeviation(), 1e-12);
  EXPECT_EQ(left.minimum(), -4);
  EXPECT_EQ(left.maximum(), 70);
}

TEST(MomentsTest, MergingNothingChangesNothing) {
  Moments moments = Of({1, 2});
  moments.Merge(Moments());
  EXPECT_EQ(moments.mean(), 1.5);

  Moments empty;
  empty.Merge(moments);
  EXPECT_EQ(empty.mean(), 1.5);
  EXPECT_EQ(empty.count(), 2);
  EXPECT_EQ(Moments().StandardDeviation(), 0);
}

}  // namespace
}  // namespace millrace::statistics
