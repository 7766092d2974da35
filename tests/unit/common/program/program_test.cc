#include "common/program/program.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/config.pb.h"

#include "common/status/status.h"
#include "common/storage/state_folder.h"
#include "common/version/version.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::program {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class ProgramTest : public testing::Test {
 protected:
  Outcome Run(std::vector<std::string> words) {
    std::string name = "millrace-data";
    std::vector<char*> argv = {name.data()};
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.code = Main({.name = "data",
                         .state = state_,
                         .config = config_,
                         .settings = [this] { return SettingsOf(config_); },
                         .run =
                             [this] {
                               ++runs_;
                               return status_;
                             }},
                        static_cast<int>(argv.size()),
                        argv.data());
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }

  state::StateLayout state_ = {.format = {.service = "data", .version = 1},
                               .catalog = "catalog.db",
                               .catalog_version = 1,
                               .blob_uses = {}};
  data::v1::DataConfig config_;
  absl::Status status_;
  int runs_ = 0;
};

TEST_F(ProgramTest, RunsWithWhatTheWordsSay) {
  const Outcome outcome = Run({"--address=127.0.0.1:0", "--drain-seconds", "3"});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(config_.address(), "127.0.0.1:0");
  EXPECT_EQ(config_.drain_seconds(), 3);
}

TEST_F(ProgramTest, PrintsAnErrorWithItsFixAndFails) {
  status_ = WithFix(Unavailable("the disk is gone"), "plug it in");
  const Outcome outcome = Run({});

  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "millrace-data: the disk is gone\n  fix: plug it in\n");
}

TEST_F(ProgramTest, WhatConcernsTheStateIsDoneWithoutRunning) {
  const storage::TemporaryFolder folder;
  const std::string state = folder.path() + "/state";
  ASSERT_TRUE(storage::StateFolder::Open(storage::PosixFileSystem(), state, state_.format).ok());

  const Outcome verified = Run({"--verify", "--folder", state});
  EXPECT_EQ(verified.code, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("0 damaged\n"));

  const Outcome refused = Run({"--restore", folder.path() + "/none", "--folder", state});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("millrace-data: "), HasSubstr("holds no state")));

  config_.clear_folder();
  const Outcome nowhere = Run({"--verify"});
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("folder must not be empty"));
  EXPECT_EQ(runs_, 0);
}

TEST_F(ProgramTest, AWordThatItDoesNotKnowRunsNothing) {
  const Outcome outcome = Run({"--adress=127.0.0.1:0"});

  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(runs_, 0);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("adress"), HasSubstr("address")));
}

TEST_F(ProgramTest, SettingsOutOfRangeRunNothing) {
  const Outcome outcome = Run({"--drain-seconds=3601"});

  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(runs_, 0);
  EXPECT_THAT(outcome.err, HasSubstr("drain_seconds must be in [0, 3600], found 3601"));
}

TEST_F(ProgramTest, HelpAndVersionGoToStandardOutput) {
  EXPECT_EQ(Run({"--version"}).out, fmt::format("millrace-data {}\n", Version()));
  const Outcome help = Run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("--metrics-address"));
  EXPECT_THAT(help.err, IsEmpty());
  EXPECT_EQ(runs_, 0);
}

TEST_F(ProgramTest, AProbeOfAServiceThatIsDownFails) {
  const Outcome outcome = Run({"--probe", "--address=127.0.0.1:1"});

  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("127.0.0.1:1 does not answer"));
  EXPECT_EQ(runs_, 0);
}

TEST_F(ProgramTest, MetricsAreNotServedToTheOutsideUnlessToldTo) {
  const absl::Status status = Serve({.address = "127.0.0.1:0", .metrics_address = "0.0.0.0:0"},
                                    {.metrics = std::make_shared<prometheus::Registry>()});

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("could be read from outside"));
}

}  // namespace
}  // namespace millrace::program
