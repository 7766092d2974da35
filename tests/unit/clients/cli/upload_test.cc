#include "clients/cli/upload.h"

#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;

class UploadTest : public CommandTest {
 protected:
  UploadTest() {
    serving_.upload_model = [this](const serving::v1::UploadHeader& header,
                                   const std::string& bytes,
                                   serving::v1::ModelVersion& version) {
      model_ = header.model();
      bytes_ = bytes;
      version = SampleModel();
      return absl::OkStatus();
    };
  }

  std::string model_;
  std::string bytes_;
};

TEST_F(UploadTest, ABundleArrivesWhole) {
  const std::string bundle(3'000'000, 'b');
  const CommandResult result =
      Command({"model", "upload", File("bundle", bundle), "--name=iris", "-oname"});
  EXPECT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_EQ(result.out, "models/iris/versions/3\n");
  EXPECT_EQ(model_, "models/iris");
  EXPECT_TRUE(bytes_ == bundle);
}

TEST_F(UploadTest, WhatTheServiceSaysIsTold) {
  serving_.upload_model = [](const auto&, const auto&, auto&) {
    return InvalidArgument("these bytes are no bundle");
  };
  EXPECT_THAT(Command({"model", "upload", File("bundle", "x"), "--name=iris"}),
              FailsWith(Exit::kInvalid, "these bytes are no bundle"));
  EXPECT_THAT(Command({"model", "upload", "none", "--name=iris"}),
              FailsWith(Exit::kNotFound, "give the path of a bundle"));
}

TEST_F(UploadTest, ADryRunSendsNothing) {
  EXPECT_THAT(Command({"model", "upload", "bundle", "--name=iris", "--dry-run"}),
              FailsWith(Exit::kNotFound, "there is no file 'bundle'"));
  EXPECT_EQ(Command({"model", "upload", File("x", "x"), "--name=iris", "--dry-run"}).exit,
            Exit::kInvalid);
  EXPECT_EQ(model_, "");
}

}  // namespace
}  // namespace millrace::cli
