#include "common/statistics/quantile_sketch.h"

#include <algorithm>
#include <span>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"

namespace millrace::statistics {
namespace {

using testing::ElementsAre;

const std::vector<double> kShares = {0, 0.05, 0.25, 0.5, 0.75, 0.95, 1};

void Add(QuantileSketch& to, double number) {
  to.Add(std::span<const double>(&number, 1));
}

TEST(QuantileSketchTest, IsExactWhileSmall) {
  QuantileSketch sketch;
  for (int i = 100; i >= 1; --i) {
    Add(sketch, i);
  }

  EXPECT_EQ(sketch.count(), 100);
  EXPECT_THAT(sketch.Quantiles(kShares), ElementsAre(1, 5, 25, 50, 75, 95, 100));
}

TEST(QuantileSketchTest, OneNumberIsEveryQuantile) {
  QuantileSketch sketch;
  Add(sketch, 7);

  EXPECT_THAT(sketch.Quantiles({0, 0.5, 1}), ElementsAre(7, 7, 7));
}

TEST(QuantileSketchTest, PiecesMakeNoDifference) {
  std::vector<double> numbers;
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    numbers.push_back(static_cast<double>(random.Next() % 1'000'000));
  }
  QuantileSketch whole;
  whole.Add(numbers);
  QuantileSketch pieces;
  for (const double number : numbers) {
    Add(pieces, number);
  }

  EXPECT_EQ(pieces.count(), whole.count());
  EXPECT_EQ(pieces.Quantiles(kShares), whole.Quantiles(kShares));
}

void ExpectRanksNear(const QuantileSketch& sketch, std::int64_t count, double error) {
  const std::vector<double> answers = sketch.Quantiles(kShares);
  for (std::size_t i = 0; i < kShares.size(); ++i) {
    EXPECT_NEAR(answers[i] / static_cast<double>(count), kShares[i], error) << kShares[i];
  }
}

// Goal: ranks are off by little, whatever the order of the numbers is. Method: the numbers
// 0 to 499,999, whose rank is their value.
TEST(QuantileSketchTest, RanksAreOffByLittleInAnyOrder) {
  constexpr std::int64_t kCount = 500'000;
  QuantileSketch ascending;
  QuantileSketch shuffled;
  Random random(3);
  for (const std::int64_t i : random.Permutation(kCount)) {
    Add(shuffled, static_cast<double>(i));
  }
  for (std::int64_t i = 0; i < kCount; ++i) {
    Add(ascending, static_cast<double>(i));
  }

  ExpectRanksNear(ascending, kCount, 0.005);
  ExpectRanksNear(shuffled, kCount, 0.005);
}

TEST(QuantileSketchTest, MergedSketchesKnowAllNumbers) {
  constexpr int kParts = 20;
  constexpr std::int64_t kEach = 10'000;
  QuantileSketch merged;
  for (int part = 0; part < kParts; ++part) {
    QuantileSketch sketch;
    for (std::int64_t i = 0; i < kEach; ++i) {
      Add(sketch, static_cast<double>(part * kEach + i));
    }
    merged.Merge(sketch);
  }

  EXPECT_EQ(merged.count(), kParts * kEach);
  ExpectRanksNear(merged, kParts * kEach, 0.005);
}

TEST(QuantileSketchTest, TheSameNumbersGiveTheSameAnswers) {
  QuantileSketch one;
  QuantileSketch two;
  Random random(4);
  for (int i = 0; i < 100'000; ++i) {
    const double number = random.Next();
    Add(one, number);
    Add(two, number);
  }

  EXPECT_EQ(one.Quantiles(kShares), two.Quantiles(kShares));
}

}  // namespace
}  // namespace millrace::statistics
