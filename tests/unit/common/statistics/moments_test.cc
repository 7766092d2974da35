#include "common/statistics/moments.h"

#include <cmath>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::statistics {
namespace {

Moments Of(const std::vector<double>& numbers) {
  Moments moments;
  moments.Add(numbers);
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

TEST(MomentsTest, PiecesMakeNoDifference) {
  std::vector<double> numbers;
  for (int i = 0; i < 1'003; ++i) {
    numbers.push_back(std::sin(i) * 100 + i);
  }
  const Moments all = Of(numbers);
  Moments pieces;
  const std::span<const double> span(numbers);
  pieces.Add(span.first(1));
  pieces.Add({});
  pieces.Add(span.subspan(1, 17));
  pieces.Add(span.subspan(18));

  EXPECT_EQ(pieces.count(), all.count());
  EXPECT_NEAR(pieces.mean(), all.mean(), 1e-12 * all.mean());
  EXPECT_NEAR(pieces.StandardDeviation(), all.StandardDeviation(), 1e-12 * all.StandardDeviation());
  EXPECT_EQ(pieces.minimum(), all.minimum());
  EXPECT_EQ(pieces.maximum(), all.maximum());
}

TEST(MomentsTest, ASumThatNoDoubleHoldsDoesNotOverflow) {
  const Moments moments = Of({1.5e308, 1.5e308, 1.5e308, 1.5e308});

  EXPECT_DOUBLE_EQ(moments.mean(), 1.5e308);
  EXPECT_EQ(moments.StandardDeviation(), 0);
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
