#include "services/data/read/read_budget.h"

#include <chrono>
#include <optional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::data {
namespace {

using testing::HasSubstr;

TEST(ReadBudgetTest, TakesUpToItsLimitAndNoMore) {
  ReadBudget budget(100);
  const auto first = budget.Take(60);
  ASSERT_TRUE(first.ok());

  const auto refused = budget.Take(41);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Message(refused.status())), HasSubstr("limits.readers_bytes_max"));
  EXPECT_TRUE(RetryAfter(refused.status()).has_value());

  EXPECT_TRUE(budget.Take(40).ok());
  EXPECT_EQ(budget.taken_bytes(), 60) << "what was let go is free again";
}

TEST(ReadBudgetTest, AReaderThatIsAloneMayHaveMore) {
  ReadBudget budget(100);
  const auto alone = budget.Take(1'000);
  EXPECT_TRUE(alone.ok());
  EXPECT_FALSE(budget.Take(1).ok());
}

TEST(ReadBudgetTest, AShareTellsWhatItReallyTakesAndMovesWithItsReader) {
  ReadBudget budget(100);
  std::optional<ReadBudget::Share> share = *budget.Take(90);
  share->Resize(10);
  EXPECT_EQ(budget.taken_bytes(), 10);
  ReadBudget::Share moved = *std::exchange(share, std::nullopt);
  EXPECT_EQ(budget.taken_bytes(), 10);
  moved = ReadBudget::Share();
  EXPECT_EQ(budget.taken_bytes(), 0);
}

}  // namespace
}  // namespace millrace::data
