#include "common/clock/random.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAreArray;

constexpr std::uint32_t kOnes = 0xFFFFFFFFU;

// The known answers that Random123 publishes for philox4x32-10 (kat_vectors).
TEST(RandomTest, PhiloxGivesThePublishedAnswers) {
  EXPECT_THAT(Philox({0, 0}, {0, 0, 0, 0}),
              ElementsAre(0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U));
  EXPECT_THAT(Philox({kOnes, kOnes}, {kOnes, kOnes, kOnes, kOnes}),
              ElementsAre(0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU));
  EXPECT_THAT(
      Philox({0xa4093822U, 0x299f31d0U}, {0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}),
      ElementsAre(0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U))
      << "digits of pi";
}

TEST(RandomTest, NextGivesTheBlocksOfTheCounterInOrder) {
  Random random(/*seed=*/0);

  for (std::uint32_t block = 0; block < 3; ++block) {
    for (const std::uint32_t expected : Philox({0, 0}, {block, 0, 0, 0})) {
      EXPECT_EQ(random.Next(), expected) << block;
    }
  }
}

TEST(RandomTest, AllBitsOfSeedAndStreamCount) {
  std::set<std::uint32_t> firsts;
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t word = std::uint64_t{1} << static_cast<unsigned>(bit);
    firsts.insert(Random(static_cast<std::int64_t>(word)).Next());
    firsts.insert(Random(/*seed=*/0, word).Next());
  }

  EXPECT_EQ(firsts.size(), 128U);
}

TEST(RandomTest, BelowStaysBelowAndReachesEveryNumber) {
  Random random(/*seed=*/5);
  std::array<int, 7> counts{};
  for (int i = 0; i < 7'000; ++i) {
    ++counts.at(random.Below(7));
  }

  // 1,000 each are expected; five standard deviations are 146.
  EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 854);
  EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 1146);
}

TEST(RandomTest, BelowTakesTheEndsOfItsRange) {
  Random random(/*seed=*/1);
  constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

  EXPECT_EQ(random.Below(1), 0U);
  EXPECT_LT(random.Below(kLargest), kLargest);
}

TEST(RandomDeathTest, BelowZeroIsABrokenPromise) {
  Random random(/*seed=*/1);

  EXPECT_DEATH(random.Below(0), "broken promise: bound > 0");
}

TEST(RandomTest, PermutationHasEveryNumberOnce) {
  const std::vector<std::int64_t> order = Random(/*seed=*/3).Permutation(100);

  std::vector<std::int64_t> numbers(100);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<std::int64_t>(i);
  }
  EXPECT_THAT(order, UnorderedElementsAreArray(numbers));
  EXPECT_NE(order, numbers);
  EXPECT_TRUE(Random(/*seed=*/3).Permutation(0).empty());
  EXPECT_THAT(Random(/*seed=*/3).Permutation(1), ElementsAre(0));
}

TEST(RandomTest, PermutationIsDecidedBySeedAndStream) {
  const auto order = Random(/*seed=*/3, /*stream=*/4).Permutation(50);

  EXPECT_EQ(Random(3, 4).Permutation(50), order);
  EXPECT_NE(Random(3, 5).Permutation(50), order);
  EXPECT_NE(Random(4, 4).Permutation(50), order);
}

TEST(RandomTest, EveryOrderOfThreeIsAboutAsFrequent) {
  Random random(/*seed=*/11);
  std::array<int, 27> counts{};
  for (int i = 0; i < 6'000; ++i) {
    const auto order = random.Permutation(3);
    ++counts.at(static_cast<std::size_t>(order[0] * 9 + order[1] * 3 + order[2]));
  }

  int orders = 0;
  for (const int count : counts) {
    if (count > 0) {
      ++orders;
      EXPECT_NEAR(count, 1'000, 145);  // five standard deviations
    }
  }
  EXPECT_EQ(orders, 6);
}

TEST(RandomTest, RandomHexHasTwoDigitsAByteAndDiffersEachTime) {
  const std::string hex = RandomHex(16);

  EXPECT_THAT(hex, testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_NE(RandomHex(16), hex);
  EXPECT_EQ(RandomHex(0), "");
}

}  // namespace
}  // namespace millrace
