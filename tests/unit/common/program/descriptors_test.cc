#include "common/program/descriptors.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "common/status/status.h"

namespace millrace::program {
namespace {

using testing::HasSubstr;

// Puts this process' limits back.
class DescriptorsTest : public testing::Test {
 protected:
  DescriptorsTest() { getrlimit(RLIMIT_NOFILE, &before_); }

  static rlimit Limits() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit;
  }

  rlimit before_{};
};

TEST_F(DescriptorsTest, RaisesTheSoftLimitAsFarAsItMay) {
  ASSERT_GE(before_.rlim_max, static_cast<rlim_t>(kDescriptorsMin));
  const rlimit low{.rlim_cur = 64, .rlim_max = before_.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);

  EXPECT_TRUE(RaiseDescriptors().ok());
  EXPECT_EQ(Limits().rlim_cur,
            std::min<rlim_t>(before_.rlim_max, static_cast<rlim_t>(kDescriptorsWanted)));
  setrlimit(RLIMIT_NOFILE, &before_);
}

// A hard limit that was lowered stays low, so a child process does it.
TEST_F(DescriptorsTest, RefusesALimitUnderWhichAServerWouldDie) {
  const auto raise = [] {
    const rlimit low{.rlim_cur = 64, .rlim_max = 1'023};
    setrlimit(RLIMIT_NOFILE, &low);
    const absl::Status status = RaiseDescriptors();
    std::fputs(std::string(Message(status)).c_str(), stderr);
    std::_Exit(status.code() == absl::StatusCode::kFailedPrecondition ? 3 : 4);
  };
  EXPECT_EXIT(raise(),
              testing::ExitedWithCode(3),
              HasSubstr("a process may have 1023 open files, and needs at least 1024"));
}

}  // namespace
}  // namespace millrace::program
