#include "clients/cli/up.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/local_stack.h"
#include "clients/cli/process.h"
#include "clients/cli/stack_list.h"
#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

// What `up` starts is tested in local_stack_test.cc; here is what it says before.
class UpTest : public CommandTest {};

TEST_F(UpTest, DownWhereNothingIsUpSaysSo) {
  const std::string folder = folder_.path();
  EXPECT_THAT(Command({"down", "--folder", folder}),
              FailsWith(Exit::kNotFound, fmt::format("nothing was up in {}", folder)));
  EXPECT_EQ(Command({"down"}).out, fmt::format("nothing was up in {}/state/millrace\n", folder));
  EXPECT_EQ(Command({"down", "-ojson"}).Json()["stopped"], 0);
}

TEST_F(UpTest, DownSaysWhereAStackRuns) {
  const std::string other = folder_.path() + "/other";
  std::filesystem::create_directories(other);
  // This process stands for a service of that stack.
  const auto process = Process::Start({"/bin/sleep", "600"}, folder_.path() + "/log");
  ASSERT_TRUE(process.ok()) << process.status();
  std::ofstream(other + "/data.pid") << *process->Ticket();
  ASSERT_TRUE(RememberStack(other).ok());
  EXPECT_THAT(Command({"down"}),
              FailsWith(Exit::kNotFound, fmt::format("a stack runs in {}", other)));
  EXPECT_THAT(Command({"down"}).err,
              testing::HasSubstr(fmt::format("fix: 'millrace down --folder {}' stops it", other)));
  EXPECT_EQ(Command({"down", "--folder", other}).out, "stopped 1 services\n");
  EXPECT_EQ(Command({"down"}).exit, Exit::kDone);
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
