#include "clients/cli/doctor.h"

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/common/security/certificate_maker.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;

class DoctorTest : public CommandTest {
 protected:
  DoctorTest() {
    data_.list_datasets = [](const auto&, auto&) { return absl::OkStatus(); };
    training_.list_runs = [](const auto&, auto&) { return absl::OkStatus(); };
    serving_.list_models = [](const auto&, auto&) { return absl::OkStatus(); };
  }
};

TEST_F(DoctorTest, WhereAllIsWellEachCheckHasALine) {
  const CommandResult result = Command({"doctor"});
  EXPECT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_THAT(result.out, HasSubstr("data        " + addresses_.data + " serves\n"));
  EXPECT_THAT(result.out, HasSubstr("plain text, without a token"));
  EXPECT_THAT(result.out, HasSubstr("free for "));
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
