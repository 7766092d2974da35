#include "common/statistics/histogram.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::statistics {
namespace {

using testing::ElementsAre;

TEST(HistogramTest, EachBinHasItsLowerEndAndTheLastBoth) {
  Histogram histogram(0, 10);
  for (const double number : {0.0, 0.5, 1.0, 4.0, 9.0, 10.0}) {
    histogram.Add(number);
  }

  EXPECT_THAT(histogram.counts(), ElementsAre(2, 1, 0, 0, 1, 0, 0, 0, 0, 2));
}

TEST(HistogramTest, AConstantFallsIntoTheFirstBin) {
  Histogram histogram(7, 7);
  histogram.Add(7);

  EXPECT_THAT(histogram.counts(), ElementsAre(1, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

TEST(HistogramTest, ARangeThatNoDoubleHoldsDoesNotOverflow) {
  constexpr double kMax = std::numeric_limits<double>::max();
  Histogram histogram(-kMax, kMax);
  histogram.Add(-kMax);
  histogram.Add(0);
  histogram.Add(kMax);

  EXPECT_THAT(histogram.counts(), ElementsAre(1, 0, 0, 0, 0, 1, 0, 0, 0, 1));
}

TEST(HistogramTest, MergingAddsTheBins) {
  Histogram left(0, 1);
  Histogram right(0, 1);
  left.Add(0);
  right.Add(0);
  right.Add(1);
  left.Merge(right);

  EXPECT_THAT(left.counts(), ElementsAre(2, 0, 0, 0, 0, 0, 0, 0, 0, 1));
}

}  // namespace
}  // namespace millrace::statistics
