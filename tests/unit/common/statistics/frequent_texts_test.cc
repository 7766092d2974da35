#include "common/statistics/frequent_texts.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/statistics/distinct_counter.h"

namespace millrace::statistics {
namespace {

// Takes texts through all three looks; `of(i)` is the i-th.
template <typename Of>
FrequentTexts Counted(int count, const Of& of) {
  FrequentTexts frequent;
  const auto counts = [](int i) {
    PartCounts of_one{};
    of_one[static_cast<std::size_t>(1 + i % 3)] = 1;
    return of_one;
  };
  for (int i = 0; i < count; ++i) {
    frequent.Add(DistinctCounter::HashOf(of(i)), counts(i));
  }
  if (frequent.NeedsCount()) {
    for (int i = 0; i < count; ++i) {
      frequent.Count(DistinctCounter::HashOf(of(i)), counts(i));
    }
  }
  for (int i = 0; i < count; ++i) {
    frequent.Name(DistinctCounter::HashOf(of(i)), of(i));
  }
  return frequent;
}

std::vector<std::string> Told(const std::vector<FrequentTexts::Frequent>& top) {
  std::vector<std::string> told;
  for (const auto& one : top) {
    told.push_back(fmt::format("{} {}", one.text, one.count));
  }
  return told;
}

TEST(FrequentTextsTest, IsExactForFewTexts) {
  const FrequentTexts frequent = Counted(90, [](int i) {
    return i < 30 ? "b" : i < 60 ? "a" : fmt::format("t{}", i);
  });

  ASSERT_EQ(frequent.OfAll().size(), FrequentTexts::kTopMax);
  EXPECT_EQ(Told(frequent.OfAll())[0], "a 30") << "as frequent as b, and before it";
  EXPECT_EQ(Told(frequent.OfAll())[1], "b 30");
  EXPECT_EQ(Told(frequent.OfAll())[2], "t60 1");
  EXPECT_EQ(Told(frequent.OfPart(1))[0], "a 10");
  EXPECT_TRUE(frequent.OfPart(0).empty());
}

// Goal: what is frequent among very many texts is told with its exact count, and nothing else is.
// Method: two texts in 3 % and 1 % of 300,000 rows, all others different.
TEST(FrequentTextsTest, FindsTheFrequentOnesAmongVeryMany) {
  const FrequentTexts frequent = Counted(300'000, [](int i) {
    return i % 100 < 3 ? std::string("often") : i % 100 == 3 ? "rarer" : std::to_string(i);
  });

  EXPECT_THAT(Told(frequent.OfAll()), testing::ElementsAre("often 9000", "rarer 3000"));
  EXPECT_THAT(Told(frequent.OfPart(2)), testing::ElementsAre("often 3000", "rarer 1000"));
}

TEST(FrequentTextsTest, SparesTheOtherLooksWhereNothingIsFrequent) {
  FrequentTexts frequent;
  for (int i = 0; i < 200'000; ++i) {
    frequent.Add(DistinctCounter::HashOf(std::to_string(i)), {0, 1, 0, 0});
  }
  EXPECT_FALSE(frequent.NeedsCount());
  EXPECT_TRUE(frequent.empty());
}

}  // namespace
}  // namespace millrace::statistics
