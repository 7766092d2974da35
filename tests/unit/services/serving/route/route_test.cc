#include "services/serving/route/route.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;

const std::vector<std::int32_t> kVersions = {1, 2, 5};

std::vector<v1::RouteShare> Shares(const std::vector<std::pair<int, int>>& shares) {
  std::vector<v1::RouteShare> messages;
  for (const auto& [version, percent] : shares) {
    messages.emplace_back();
    messages.back().set_version(version);
    messages.back().set_percent(percent);
  }
  return messages;
}

void ExpectError(const std::vector<std::pair<int, int>>& shares,
                 absl::StatusCode code,
                 const std::string& phrase) {
  const auto route = Route::Create(Shares(shares), kVersions);
  EXPECT_EQ(route.status().code(), code);
  EXPECT_THAT(std::string(Message(route.status())), HasSubstr(phrase));
}

TEST(RouteTest, WithoutSharesEverythingGoesToTheNewest) {
  const auto route = Route::Create({}, kVersions);

  ASSERT_TRUE(route.ok());
  EXPECT_TRUE(route->IsSingle());
  for (std::uint64_t ticket = 0; ticket < 250; ++ticket) {
    EXPECT_EQ(route->Choose(ticket), 5);
  }
  EXPECT_EQ(route->preferred(), 5);
  EXPECT_EQ(route->PercentOf(5), 100);
  EXPECT_EQ(route->PercentOf(1), 0);
}

TEST(RouteTest, SharesHoldExactlyInEveryHundredConsecutiveRequests) {
  const auto route = Route::Create(Shares({{1, 10}, {2, 57}, {5, 33}}), kVersions);

  ASSERT_TRUE(route.ok());
  for (std::uint64_t start = 0; start < 130; ++start) {
    std::map<std::int32_t, int> counts;
    for (std::uint64_t ticket = start; ticket < start + 100; ++ticket) {
      ++counts[route->Choose(ticket)];
    }
    EXPECT_EQ(counts[1], 10) << "from " << start;
    EXPECT_EQ(counts[2], 57) << "from " << start;
    EXPECT_EQ(counts[5], 33) << "from " << start;
  }
}

TEST(RouteTest, AShareIsSpreadEvenly) {
  const auto route = Route::Create(Shares({{1, 10}, {2, 90}}), kVersions);

  ASSERT_TRUE(route.ok());
  std::uint64_t last = 0;
  for (std::uint64_t ticket = 0; ticket < 300; ++ticket) {
    if (route->Choose(ticket) == 1) {
      EXPECT_LE(ticket - last, 10U);
      last = ticket;
    }
  }
  EXPECT_GT(last, 280U);
}

TEST(RouteTest, PrefersTheLargestShareAndOfEqualsTheNewer) {
  EXPECT_EQ(Route::Create(Shares({{1, 60}, {5, 40}}), kVersions)->preferred(), 1);
  EXPECT_EQ(Route::Create(Shares({{5, 50}, {1, 50}}), kVersions)->preferred(), 5);
}

TEST(RouteTest, RefusesSharesThatAreNoRoute) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  ExpectError({{1, 100}, {2, 0}}, kInvalid, "route.shares[1].percent must be in [1, 100], found 0");
  ExpectError({{1, 101}}, kInvalid, "route.shares[0].percent must be in [1, 100], found 101");
  ExpectError({{1, 50}, {1, 50}}, kInvalid, "route.shares[1] names a version again: 1");
  ExpectError({{1, 50}, {2, 49}}, kInvalid, "must sum to 100 percent, found 99");
  ExpectError({{1, 50}, {2, 51}}, kInvalid, "must sum to 100 percent, found 101");
  ExpectError({{3, 100}}, absl::StatusCode::kNotFound, "a version that does not exist: 3");
}

}  // namespace
}  // namespace millrace::serving
