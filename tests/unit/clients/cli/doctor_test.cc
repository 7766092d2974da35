#include "clients/cli/doctor.h"

#include <chrono>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/version/version.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/common/security/certificate_maker.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;

// A service of `version`, whose clock is so far ahead.
Answer<status::v1::GetStatusRequest, status::v1::Status> Telling(std::string version,
                                                                 std::chrono::seconds ahead) {
  return [version = std::move(version), ahead](const auto&, status::v1::Status& told) {
    told.set_version(version);
    *told.mutable_time() = google::protobuf::util::TimeUtil::SecondsToTimestamp(
        std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + ahead));
    return absl::OkStatus();
  };
}

class DoctorTest : public CommandTest {
 protected:
  DoctorTest() {
    data_.list_datasets = [](const auto&, auto&) { return absl::OkStatus(); };
    training_.list_runs = [](const auto&, auto&) { return absl::OkStatus(); };
    serving_.list_models = [](const auto&, auto&) { return absl::OkStatus(); };
    data_status_.get_status = training_status_.get_status = serving_status_.get_status =
        Telling(std::string(Version()), std::chrono::seconds(0));
  }
};

TEST_F(DoctorTest, WhereAllIsWellEachCheckHasALine) {
  const CommandResult result = Command({"doctor"});
  EXPECT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_THAT(
      result.out,
      HasSubstr(fmt::format("data        {} serves, version {}\n", addresses_.data, Version())));
  EXPECT_THAT(result.out, HasSubstr("plain text, without a token"));
  EXPECT_THAT(result.out, HasSubstr("free for "));
}

TEST_F(DoctorTest, AServiceOfAnotherReleaseOrTimeIsWrong) {
  training_status_.get_status = Telling("99.0.0", std::chrono::seconds(0));
  serving_status_.get_status = Telling(std::string(Version()), std::chrono::minutes(-3));
  const CommandResult result = Command({"doctor"});
  EXPECT_EQ(result.exit, Exit::kFailed);
  EXPECT_THAT(result.err, HasSubstr("error: 2 of 6 checks failed"));
  EXPECT_THAT(result.out,
              HasSubstr(fmt::format("it has version 99.0.0, and this command {}", Version())));
  EXPECT_THAT(result.out, HasSubstr("fix: use a command and services of one release"));
  EXPECT_THAT(result.out, HasSubstr("s behind this machine's, more than 5 s"));
  EXPECT_THAT(result.out, HasSubstr("fix: keep both clocks by NTP"));
}

TEST_F(DoctorTest, EachServiceTellsOfItsOwnDisk) {
  data_status_.get_status = [tell = data_status_.get_status](const auto& request, auto& told) {
    told.set_disk_free_bytes(5'000'000'000);
    told.set_disk_total_bytes(9'000'000'000);
    return tell(request, told);
  };
  training_status_.get_status = [tell = training_status_.get_status](const auto& request,
                                                                     auto& told) {
    told.set_cannot_write("No space left on device");
    return tell(request, told);
  };
  serving_status_.get_status = [tell = serving_status_.get_status](const auto& request,
                                                                   auto& told) {
    told.set_disk_free_bytes(1'000'000);
    told.set_disk_total_bytes(24'000'000);
    return tell(request, told);
  };
  const CommandResult result = Command({"doctor"});
  EXPECT_THAT(result.err, HasSubstr("error: 2 of 6 checks failed"));
  EXPECT_THAT(result.out, HasSubstr("5 GB free on its disk"));
  EXPECT_THAT(result.out, HasSubstr("it cannot write its state"));
  EXPECT_THAT(result.out, HasSubstr("No space left on device"));
  EXPECT_THAT(result.out, HasSubstr("its disk has 1 MB of 24 MB free"));
}

TEST_F(DoctorTest, AServiceThatIsTooOldToTellIsNoFailure) {
  training_status_.get_status = nullptr;
  const CommandResult result = Command({"doctor"});
  EXPECT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr(addresses_.training + " serves, too old to tell version and time\n"));
}

TEST_F(DoctorTest, WhatIsWrongHasAFix) {
  StopServer(serving_server_);
  training_.list_runs = [](const auto&, auto&) {
    return absl::PermissionDeniedError("a reader is asked for");
  };
  const CommandResult result = Command({"doctor"});
  EXPECT_EQ(result.exit, Exit::kFailed);
  EXPECT_THAT(result.err, HasSubstr("error: 2 of 6 checks failed"));
  EXPECT_THAT(result.out, HasSubstr("a reader is asked for"));
  EXPECT_THAT(result.out, HasSubstr("fix: 'millrace up' starts it"));
  const auto json = Command({"doctor", "-ojson"}).Json();
  ASSERT_EQ(json.size(), 6U);
  EXPECT_EQ(json[4]["name"], "serving");
  EXPECT_EQ(json[4]["ok"], false);
}

TEST_F(DoctorTest, ACertificateThatSoonEndsIsToldBefore) {
  const std::string soon =
      security::WriteFile(folder_.path() + "/ca.pem", security::CertificateMaker().authority());
  const CommandResult result = Command({"doctor", "--ca", soon});
  EXPECT_THAT(result.out, HasSubstr("ca.pem ends in 0 days"));
  EXPECT_THAT(result.out, HasSubstr("fix: put a new one in its place"));
  EXPECT_THAT(Command({"doctor", "--ca=/none"}).out, HasSubstr("there is no file '/none'"));
}

TEST_F(DoctorTest, AnUnknownContextIsTheFirstThingToPutRight) {
  EXPECT_THAT(Command({"doctor", "--context=lab"}).out, HasSubstr("there is no context 'lab'"));
}

}  // namespace
}  // namespace millrace::cli
