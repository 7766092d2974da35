#include "common/patience/patience.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

Patience::Attempt Away() {
  return {.status = Unavailable("refused"), .reason = "it is away"};
}

class PatienceTest : public testing::Test {
 protected:
  Patience Make(milliseconds limit) {
    return {{.waits = {.first = milliseconds(1), .longest = milliseconds(2)}, .limit = limit},
            [this](const std::string& reason) {
              told_.push_back(reason);
              return absl::OkStatus();
            },
            stop_.get_token()};
  }

  std::stop_source stop_;
  std::vector<std::string> told_;
};

TEST_F(PatienceTest, TriesAgainUntilItSucceedsAndTellsOnlyWhatChanges) {
  Patience patience = Make(std::chrono::hours(1));
  int attempts = 0;

  const absl::Status done = patience.Try([&]() -> Patience::Attempt {
    ++attempts;
    if (attempts <= 3) {
      return {.status = Unavailable("refused"), .reason = "it is away"};
    }
    return attempts == 4
               ? Patience::Attempt{.status = ResourceExhausted("full"), .reason = "it is full"}
               : Patience::Attempt{};
  });

  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(attempts, 5);
  EXPECT_FALSE(patience.gave_up());
  EXPECT_THAT(told_, ElementsAre("it is away", "it is full", ""));
}

TEST_F(PatienceTest, WhatDoesNotPassEndsItAtOnce) {
  Patience patience = Make(std::chrono::hours(1));

  EXPECT_TRUE(absl::IsNotFound(
      patience.Try([]() -> Patience::Attempt { return {.status = NotFound("gone")}; })));
  EXPECT_FALSE(patience.gave_up());
}

TEST_F(PatienceTest, ItsTimeIsBounded) {
  Patience patience = Make(milliseconds(3));

  EXPECT_TRUE(absl::IsUnavailable(patience.Try(Away)));
  EXPECT_TRUE(patience.gave_up());
  EXPECT_EQ(patience.reason(), "it is away");
}

TEST_F(PatienceTest, AStopEndsTheWait) {
  Patience patience = {{.waits = {.first = std::chrono::hours(1), .longest = std::chrono::hours(1)},
                        .limit = std::chrono::hours(9)},
                       [this](const std::string& /*reason*/) {
                         stop_.request_stop();
                         return absl::OkStatus();
                       },
                       stop_.get_token()};

  EXPECT_TRUE(absl::IsCancelled(patience.Try(Away)));
}

TEST(BackoffTest, DoublesUpToTheLongestAndHeedsThePeer) {
  Backoff backoff({.first = seconds(1), .longest = seconds(60)});
  const absl::Status away = Unavailable("away");

  for (const int expected : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(backoff.Next(away), seconds(expected));
  }
  backoff.Reset();
  EXPECT_EQ(backoff.Next(WithRetry(away, seconds(30))), seconds(30));
  EXPECT_EQ(backoff.Next(WithRetry(away, seconds(3'000))), seconds(60));
}

}  // namespace
}  // namespace millrace
