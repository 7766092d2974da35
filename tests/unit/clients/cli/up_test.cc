#include "clients/cli/up.h"

#include <string>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/local_stack.h"
#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

// What `up` starts is tested in local_stack_test.cc; here is what it says before.
class UpTest : public CommandTest {};

TEST_F(UpTest, DownWhereNothingIsUpSaysSo) {
  const std::string folder = folder_.path();
  EXPECT_EQ(Command({"down", "--folder", folder}).out,
            fmt::format("nothing was up in {}\n", folder));
  EXPECT_EQ(Command({"down", "--folder", folder, "-ojson"}).Json()["stopped"], 0);
}

TEST_F(UpTest, AFolderHasAName) {
  EXPECT_THAT(Command({"up", "--folder", ""}), FailsWith(Exit::kUsage, "--folder must be a path"));
  EXPECT_THAT(Command({"down", "--folder", ""}),
              FailsWith(Exit::kUsage, "--folder must be a path"));
}

TEST_F(UpTest, AFolderThatCannotBeIsInvalid) {
  EXPECT_THAT(Command({"up", "--folder", File("file", "x") + "/state"}),
              FailsWith(Exit::kInvalid, "fix: --folder names another one"));
}

}  // namespace
}  // namespace millrace::cli
