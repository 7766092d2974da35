#include "clients/cli/version.h"

#include <future>
#include <string>

#include <absl/status/status.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/version/version.h"
#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;

class VersionTest : public CommandTest {
 protected:
  VersionTest() {
    data_status_.get_status = Telling("0.1.7");
    training_status_.get_status = Telling("0.1.8");
    serving_status_.get_status = Telling("0.1.9");
  }

  static Answer<status::v1::GetStatusRequest, status::v1::Status> Telling(const char* version) {
    return [version](const auto&, status::v1::Status& told) {
      told.set_service("some");
      told.set_version(version);
      told.set_build(std::string(version) + "+abc");
      return absl::OkStatus();
    };
  }

  static std::string Own() { return fmt::format("millrace {}\n", Version()); }
};

TEST_F(VersionTest, TheCommandsVersionComesFirstThenTheServices) {
  const CommandResult result = Command({"version"});
  EXPECT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_EQ(result.out, Own() + "data 0.1.7\ntraining 0.1.8\nserving 0.1.9\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(Command({"version", "-owide"}).out,
            fmt::format("millrace {} {}\ndata 0.1.7 0.1.7+abc\ntraining 0.1.8 0.1.8+abc\n"
                        "serving 0.1.9 0.1.9+abc\n",
                        Version(),
                        BuildName()));
}

TEST_F(VersionTest, JsonHasTheServicesOwnMessages) {
  const auto json = Command({"version", "-ojson"}).Json();
  EXPECT_EQ(json["version"], std::string(Version()));
  EXPECT_EQ(json["build"], std::string(BuildName()));
  ASSERT_EQ(json["services"].size(), 3U);
  EXPECT_EQ(json["services"][1]["version"], "0.1.8");
  EXPECT_THAT(Command({"version", "-oyaml"}).out, HasSubstr("services:\n  - service: some\n"));
}

TEST_F(VersionTest, AServiceThatDoesNotTellIsSaidAndNoFailure) {
  StopServer(data_server_);
  training_status_.get_status = nullptr;
  serving_status_.get_status = [](const auto&, auto&) {
    return absl::PermissionDeniedError("a reader is asked for");
  };
  const CommandResult result = Command({"version"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out, Own());
  EXPECT_EQ(result.err,
            fmt::format("cannot reach the data service at {}\n"
                        "the training service at {} is too old to tell its version\n"
                        "the serving service at {} does not tell its version: a reader is asked "
                        "for\n",
                        addresses_.data,
                        addresses_.training,
                        addresses_.serving));
  EXPECT_EQ(Command({"version", "-ojson"}).Json()["services"].size(), 0U);
}

TEST_F(VersionTest, AServiceThatIsSilentIsNotWaitedForLong) {
  std::promise<void> over;
  training_status_.get_status = [silent = over.get_future().share()](const auto&, auto&) {
    silent.wait();
    return absl::OkStatus();
  };
  const CommandResult result = Command({"version"});
  over.set_value();
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out, Own() + "data 0.1.7\nserving 0.1.9\n");
  EXPECT_EQ(
      result.err,
      fmt::format("the training service at {} did not answer within 1 s\n", addresses_.training));
}

TEST_F(VersionTest, WithoutAWayToTheServicesTheCommandStillKnowsItself) {
  const CommandResult result = Command({"version", "--context=lab"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out, Own());
  EXPECT_THAT(result.err, HasSubstr("there is no context 'lab'"));
}

TEST_F(VersionTest, TheNameIsTheCommandsOwnAndAsksNobody) {
  StopServer(data_server_);
  const CommandResult result = Command({"version", "-oname"});
  EXPECT_EQ(result.out, fmt::format("{}\n", Version()));
  EXPECT_EQ(result.err, "");
}

}  // namespace
}  // namespace millrace::cli
