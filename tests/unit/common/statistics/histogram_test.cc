#include "common/statistics/histogram.h"

#include <limits>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::statistics {
namespace {

using testing::ElementsAre;

void Add(Histogram& to, double number) {
  to.Add(std::span<const double>(&number, 1));
}

TEST(HistogramTest, EachBinHasItsLowerEndAndTheLastBoth) {
  Histogram histogram(0, 10);
  for (const double number : {0.0, 0.5, 1.0, 4.0, 9.0, 10.0}) {
    Add(histogram, number);
  }

  EXPECT_THAT(histogram.counts(), ElementsAre(2, 1, 0, 0, 1, 0, 0, 0, 0, 2));
}

TEST(HistogramTest, AConstantFallsIntoTheFirstBin) {
  Histogram histogram(7, 7);
  Add(histogram, 7);

  EXPECT_THAT(histogram.counts(), ElementsAre(1, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

TEST(HistogramTest, ARangeThatNoDoubleHoldsDoesNotOverflow) {
  constexpr double kMax = std::numeric_limits<double>::max();
  Histogram histogram(-kMax, kMax);
  Add(histogram, -kMax);
  Add(histogram, 0);
  Add(histogram, kMax);

  EXPECT_THAT(histogram.counts(), ElementsAre(1, 0, 0, 0, 0, 1, 0, 0, 0, 1));
}

}  // namespace
}  // namespace millrace::statistics
