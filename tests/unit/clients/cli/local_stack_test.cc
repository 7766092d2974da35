#include "clients/cli/local_stack.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using training::Fails;

// Shell scripts in the place of the services. What answers their health question is a server of
// this process: a script writes that server's port as its own.
class LocalStackTest : public testing::Test {
 protected:
  LocalStackTest() {
    fs::create_directories(plan_.programs);
    for (const char* const name : {"data", "serving", "training"}) {
      Install(name, fmt::format("echo {} > \"$port\"; exec sleep 600", health_->port()));
    }
  }

  void TearDown() override {
    const absl::StatusOr<int> stopped = StopStack(plan_.folder);
    EXPECT_TRUE(stopped.ok()) << stopped.status();
  }

  // A program that writes down its words, has `$port` for the port file, and does `script`.
  void Install(const std::string& name, const std::string& script) {
    const std::string path = fmt::format("{}/millrace-{}", plan_.programs, name);
    std::ofstream(path) << "#!/bin/sh\n"
                        << "echo \"$@\" > '" << plan_.folder << "/" << name << ".words'\n"
                        << "port=\"${3#--port-file=}\"\n"
                        << script << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }

  [[nodiscard]] std::string Text(const std::string& file) const {
    std::ostringstream text;
    text << std::ifstream(plan_.folder + "/" + file).rdbuf();
    return text.str();
  }

  [[nodiscard]] absl::StatusOr<std::vector<RunningService>> Start() const {
    return StartStack(plan_, stop_.get_token());
  }

  // Whether the service of `name` that this folder knows goes on.
  [[nodiscard]] bool Runs(const std::string& name) const {
    return Process::Find(Text(name + ".pid")).ok();
  }

  std::unique_ptr<rpc::Server> health_ = *rpc::Server::Start({.address = "127.0.0.1:0"}, {});
  storage::TemporaryFolder folder_;
  StackPlan plan_{
      .folder = folder_.path() + "/state of mine",
      .programs = folder_.path() + "/bin",
      .addresses = {.data = "127.0.0.1:0", .training = "127.0.0.1:0", .serving = "127.0.0.1:0"}};
  std::stop_source stop_;
};

TEST_F(LocalStackTest, ServicesStartInTheOrderInWhichTheyNeedEachOther) {
  const auto services = Start();
  ASSERT_TRUE(services.ok()) << services.status();
  ASSERT_EQ(services->size(), 3U);
  const std::string address = fmt::format("127.0.0.1:{}", health_->port());
  std::vector<std::string> names;
  for (const RunningService& service : *services) {
    names.push_back(service.name);
    EXPECT_EQ(service.address, address);
    EXPECT_FALSE(service.process.WaitForEnd(std::chrono::milliseconds(0)));
  }
  EXPECT_THAT(names, ElementsAre("data", "serving", "training"));
  EXPECT_EQ(Text("data.words"),
            fmt::format("--address=127.0.0.1:0 --folder={0}/data --port-file={0}/data.port\n",
                        plan_.folder));
  EXPECT_THAT(
      Text("training.words"),
      testing::EndsWith(fmt::format(" --data-address={0} --serving-address={0}\n", address)));
}

TEST_F(LocalStackTest, WhatWasStartedIsStopped) {
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(Runs("data") && Runs("serving") && Runs("training"));
  const auto stopped = StopStack(plan_.folder);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(*stopped, 3);
  EXPECT_FALSE(fs::exists(plan_.folder + "/data.pid"));
}

TEST_F(LocalStackTest, StoppingNothingIsDone) {
  const auto stopped = StopStack(plan_.folder);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(*stopped, 0);
}

TEST_F(LocalStackTest, ATicketOfALongGoneProcessIsNobody) {
  fs::create_directories(plan_.folder);
  std::ofstream(plan_.folder + "/data.pid") << "1 1\n";  // that number, but another process
  const auto stopped = StopStack(plan_.folder);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(*stopped, 0);
  EXPECT_TRUE(Start().ok());
}

TEST_F(LocalStackTest, AStackThatIsUpIsNotStartedAgain) {
  const auto services = Start();
  ASSERT_TRUE(services.ok()) << services.status();
  const auto again = Start();
  EXPECT_THAT(again,
              Fails(absl::StatusCode::kFailedPrecondition,
                    fmt::format("its data service is process {}", (*services)[0].process.pid())));
  EXPECT_THAT(Fix(again.status()), HasSubstr("'millrace down --folder "));
  EXPECT_TRUE(Runs("data"));
}

TEST_F(LocalStackTest, OnlyWhatIsMissingIsStartedAndWhereItWas) {
  const auto services = Start();
  ASSERT_TRUE(services.ok()) << services.status();
  const int data = (*services)[0].process.pid();
  ASSERT_TRUE((*services)[1].process.Stop(std::chrono::seconds(10)).ok());
  const auto again = Start();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)[0].process.pid(), data);
  EXPECT_TRUE((*again)[0].was_up);
  EXPECT_FALSE((*again)[1].was_up);
  EXPECT_TRUE((*again)[2].was_up);
  EXPECT_THAT(Text("serving.words"),
              testing::StartsWith(fmt::format("--address=127.0.0.1:{} ", health_->port())));
}

TEST_F(LocalStackTest, WhatWasUpStaysUpWhenTheMissingOneCannotStart) {
  const auto services = Start();
  ASSERT_TRUE(services.ok()) << services.status();
  ASSERT_TRUE((*services)[1].process.Stop(std::chrono::seconds(10)).ok());
  Install("serving", "exit 1");
  EXPECT_FALSE(Start().ok());
  EXPECT_TRUE(Runs("data") && Runs("training"));
}

TEST_F(LocalStackTest, WhatALibraryLogsForItsMakersIsNotTold) {
  Install("data",
          "echo 'E1127 13:20:01.123456789   17 tcp_server.cc:12] address in use'; "
          "echo 'cannot listen'; exit 1");
  EXPECT_THAT(Start(),
              Fails(absl::StatusCode::kUnavailable,
                    "the data service: it ended at start:\n  cannot listen"));
}

TEST_F(LocalStackTest, AServiceThatEndsAtStartTellsTheEndOfItsLogAndTakesTheOthersAlong) {
  Install("training", "echo one; echo two; echo three; echo 'address is taken' >&2; exit 1");
  const auto services = Start();
  EXPECT_THAT(
      services,
      Fails(absl::StatusCode::kUnavailable,
            "the training service: it ended at start:\n  two\n  three\n  address is taken"));
  EXPECT_EQ(Fix(services.status()), plan_.folder + "/training.log has its whole log");
  for (const char* const name : {"data", "serving", "training"}) {
    EXPECT_FALSE(Runs(name)) << name;
    EXPECT_FALSE(fs::exists(fmt::format("{}/{}.pid", plan_.folder, name)));
  }
}

TEST_F(LocalStackTest, AMissingProgramIsNotFoundAndTakesTheOthersAlong) {
  fs::remove(plan_.programs + "/millrace-serving");
  const auto services = Start();
  EXPECT_THAT(services, Fails(absl::StatusCode::kNotFound, "bin/millrace-serving'"));
  EXPECT_NE(Fix(services.status()), "");
  EXPECT_FALSE(Runs("data"));
}

TEST_F(LocalStackTest, AWishToStopEndsTheWaitAndWhatWasStarted) {
  Install("serving", "exec sleep 600");  // never answers
  stop_.request_stop();
  EXPECT_THAT(Start(), Fails(absl::StatusCode::kCancelled, "the data service: interrupted"));
  EXPECT_FALSE(Runs("data"));
}

TEST_F(LocalStackTest, AnOldPortAndLogAreForgotten) {
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(StopStack(plan_.folder).ok());
  Install("data", "exit 1");  // and says nothing
  const auto services = Start();
  EXPECT_THAT(services,
              Fails(absl::StatusCode::kUnavailable, "the data service: it ended at start:"));
}

TEST_F(LocalStackTest, AFolderThatCannotBeIsInvalid) {
  std::ofstream(folder_.path() + "/file") << "x";
  StackPlan plan = plan_;
  plan.folder = folder_.path() + "/file/state";
  const auto services = StartStack(plan, stop_.get_token());
  EXPECT_THAT(services, Fails(absl::StatusCode::kInvalidArgument, "cannot make the folder"));
  EXPECT_EQ(Fix(services.status()), "--folder names another one");
}

TEST_F(LocalStackTest, StateIsKeptWhereTheSystemWantsIt) {
  const char* const state = std::getenv("XDG_STATE_HOME");
  const std::string saved = state == nullptr ? "" : state;
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(DefaultStateFolder(), "/state/millrace");
  setenv("XDG_STATE_HOME", "not/absolute", 1);
  EXPECT_THAT(DefaultStateFolder(), testing::EndsWith("/.local/state/millrace"));
  unsetenv("XDG_STATE_HOME");
  EXPECT_THAT(DefaultStateFolder(), testing::EndsWith("/.local/state/millrace"));
  if (state != nullptr) {
    setenv("XDG_STATE_HOME", saved.c_str(), 1);
  }
}

TEST_F(LocalStackTest, ProgramsAreLookedForBesideThisOne) {
  const auto folder = ProgramFolder();
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_TRUE(fs::exists(*folder + "/clients_cli_test"));
}

}  // namespace
}  // namespace millrace::cli
