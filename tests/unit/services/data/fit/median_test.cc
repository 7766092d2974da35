#include "services/data/fit/median.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/status/status.h"

namespace millrace::data {
namespace {

double MedianOf(const std::vector<double>& numbers) {
  LeadingCounts counts;
  counts.Add(numbers);
  const auto median = Median(counts, [&](NumberSink sink) {
    sink(numbers);
    return absl::OkStatus();
  });
  EXPECT_TRUE(median.ok()) << median.status();
  return *median;
}

double SortedMedianOf(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t middle = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[middle] : numbers[middle - 1] / 2 + numbers[middle] / 2;
}

TEST(MedianTest, OfFewNumbers) {
  EXPECT_EQ(MedianOf({7}), 7);
  EXPECT_EQ(MedianOf({9, 1, 4}), 4);
  EXPECT_EQ(MedianOf({9, 1, 4, 2}), 3);
  EXPECT_EQ(MedianOf({-1, -3, -2}), -2);
  EXPECT_EQ(MedianOf({-1e308, 1e308}), 0);
  EXPECT_EQ(MedianOf({5e-324, -5e-324, 0.0}), 0);
}

TEST(MedianTest, EqualsThatOfTheSortedNumbers) {
  Random random(3);
  for (int round = 0; round < 30; ++round) {
    std::vector<double> numbers;
    const std::uint64_t count = 1 + random.Below(3'000);
    for (std::uint64_t i = 0; i < count; ++i) {
      const double sign = random.Below(2) == 0 ? -1 : 1;
      numbers.push_back(sign * std::ldexp(static_cast<double>(random.Below(1'000'000)),
                                          static_cast<int>(random.Below(40)) - 20));
    }
    EXPECT_EQ(MedianOf(numbers), SortedMedianOf(numbers)) << round;
  }
}

// Goal: numbers that share their first bits take another pass, not more memory. Method: a million
// that differ in their last bits only, then a million that do not differ.
TEST(MedianTest, ManyNumbersOfOneBeginning) {
  std::vector<double> numbers;
  for (int i = 0; i < 1'000'001; ++i) {
    numbers.push_back(1 + std::ldexp(static_cast<double>((i * 7919LL) % 1'000'001), -50));
  }
  EXPECT_EQ(MedianOf(numbers), SortedMedianOf(numbers));
  std::fill(numbers.begin(), numbers.end(), 0.25);
  EXPECT_EQ(MedianOf(numbers), 0.25);
}

TEST(MedianTest, ReturnsTheSourcesErrorAsItCame) {
  LeadingCounts counts;
  counts.Add(std::vector<double>{1});
  const auto median = Median(counts, [](NumberSink) { return Unavailable("the disk is gone"); });

  EXPECT_EQ(median.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(median.status()), "the disk is gone");
}

}  // namespace
}  // namespace millrace::data
