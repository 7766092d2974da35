#include "clients/cli/uploads.h"

#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/transfer/v1/transfer.pb.h"

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;
using transfer::v1::DeleteUploadRequest;
using transfer::v1::DeleteUploadResponse;
using transfer::v1::ListUploadsRequest;
using transfer::v1::ListUploadsResponse;

class UploadsTest : public CommandTest {
 protected:
  UploadsTest() {
    data_.list_uploads = [](const ListUploadsRequest&, ListUploadsResponse& response) {
      transfer::v1::Upload& upload = *response.add_uploads();
      upload.set_name("uploads/0123456789abcdef");
      upload.set_subject("datasets/iris");
      upload.set_received_bytes(100'000'000);
      upload.mutable_last_chunk_time()->set_seconds(1'714'566'605);
      upload.mutable_expire_time()->set_seconds(1'714'653'005);
      upload.set_open(true);
      return absl::OkStatus();
    };
    serving_.list_uploads = [](const ListUploadsRequest&, ListUploadsResponse& response) {
      transfer::v1::Upload& upload = *response.add_uploads();
      upload.set_name("uploads/fedcba9876543210");
      upload.set_subject("models/iris");
      return absl::OkStatus();
    };
    data_.delete_upload = [this](const DeleteUploadRequest& request, DeleteUploadResponse&) {
      deleted_ += "data " + request.name() + "\n";
      return request.name() == "uploads/0123456789abcdef" ? absl::OkStatus()
                                                          : NotFound("there is none");
    };
    serving_.delete_upload = [this](const DeleteUploadRequest& request, DeleteUploadResponse&) {
      deleted_ += "serving " + request.name() + "\n";
      return request.name() == "uploads/fedcba9876543210" ? absl::OkStatus()
                                                          : NotFound("there is none");
    };
  }

  std::string deleted_;  // what was asked for, in its order
};

TEST_F(UploadsTest, AListIsOfBothServices) {
  EXPECT_EQ(Command({"upload", "ls"}).out,
            "NAME              SERVICE  FOR   RECEIVED  LAST CHUNK (UTC)     EXPIRES (UTC)        "
            "OPEN\n"
            "0123456789abcdef  data     iris    100 MB  2024-05-01 12:30:05  2024-05-02 12:30:05  "
            "yes\n"
            "fedcba9876543210  serving  iris       0 B  -                    -                    "
            "no\n");
  EXPECT_EQ(Command({"upload", "ls", "-ojson"}).Json()["serving"]["uploads"].size(), 1U);
  EXPECT_EQ(Command({"upload", "ls", "-oname"}).out,
            "uploads/0123456789abcdef\nuploads/fedcba9876543210\n");
}

TEST_F(UploadsTest, WhatOneServiceHasIsShownWhereTheOtherIsDown) {
  StopServer(serving_server_);
  const CommandResult result = Command({"upload", "ls"});
  EXPECT_EQ(result.exit, Exit::kTryAgain);
  EXPECT_THAT(result.out, HasSubstr("0123456789abcdef"));
  EXPECT_THAT(result.err, HasSubstr("cannot reach the serving service"));
}

TEST_F(UploadsTest, NoneIsSaid) {
  data_.list_uploads = serving_.list_uploads = [](const auto&, auto&) { return absl::OkStatus(); };
  const CommandResult result = Command({"upload", "ls"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.err, "no unfinished uploads\n");
}

TEST_F(UploadsTest, RmFindsTheServiceThatHasIt) {
  const CommandResult result =
      Command({"upload", "rm", "fedcba9876543210", "uploads/0123456789abcdef", "--yes"});
  EXPECT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_EQ(result.out, "deleted upload fedcba9876543210\ndeleted upload 0123456789abcdef\n");
  EXPECT_EQ(deleted_,
            "data uploads/fedcba9876543210\nserving uploads/fedcba9876543210\n"
            "data uploads/0123456789abcdef\n");
  EXPECT_THAT(Command({"upload", "rm", "x", "--yes"}),
              FailsWith(Exit::kNotFound, "there is no upload 'x'"));
}

TEST_F(UploadsTest, RmAsksAndADryRunLooks) {
  EXPECT_THAT(Command({"upload", "rm", "x"}), FailsWith(Exit::kUsage, "--yes says so"));
  EXPECT_EQ(deleted_, "");
  EXPECT_THAT(Command({"upload", "rm", "x", "--dry-run"}),
              FailsWith(Exit::kNotFound, "there is no upload 'x'"));
  EXPECT_EQ(Command({"upload", "rm", "0123456789abcdef", "--dry-run"}).err,
            "would delete what came of 0123456789abcdef\n");
  EXPECT_EQ(deleted_, "");
}

}  // namespace
}  // namespace millrace::cli
