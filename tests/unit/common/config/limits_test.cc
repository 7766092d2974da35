#include "common/config/limits.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/config/v1/server_limits.pb.h"

#include "common/config/config.h"
#include "common/status/status.h"

namespace millrace::config {
namespace {

using testing::HasSubstr;

TEST(LimitsTest, AreThoseOfTheFieldsInTheirOrder) {
  const std::vector<NamedLimit> limits = LimitsOf(v1::ServerLimits());

  ASSERT_EQ(limits.size(), static_cast<std::size_t>(v1::ServerLimits::descriptor()->field_count()));
  EXPECT_EQ(limits[0].path, "message_bytes_max");
  EXPECT_EQ(limits[0].limit.default_value(), 4 << 20);
}

TEST(LimitsTest, DefaultsAreWithinTheirRangesAndSaid) {
  v1::ServerLimits limits;
  FillLimits(limits);

  EXPECT_EQ(limits.streams_max(), 100);
  EXPECT_TRUE(CheckLimits(limits).ok());
}

TEST(LimitsTest, RangesHaveTheirEnds) {
  for (const NamedLimit& named : LimitsOf(v1::ServerLimits())) {
    const auto check = [&](std::int64_t value) {
      v1::ServerLimits limits;
      FillLimits(limits);
      EXPECT_TRUE(Set(named.path, std::to_string(value), limits).ok());
      return CheckLimits(limits);
    };
    for (const std::int64_t inside : {named.limit.least(), named.limit.most()}) {
      EXPECT_TRUE(check(inside).ok()) << named.path;
    }
    for (const std::int64_t outside : {named.limit.least() - 1, named.limit.most() + 1}) {
      const absl::Status status = check(outside);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(Message(status)), HasSubstr(named.path + " must be in ["));
      EXPECT_THAT(Fix(status), HasSubstr(named.limit.bounds()));
    }
  }
}

}  // namespace
}  // namespace millrace::config
