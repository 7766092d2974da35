#include "common/transfer/upload_call.h"

#include <cstddef>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::transfer {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

// A service by its answers: to attempts, and to questions between them.
class UploadCallTest : public testing::Test {
 protected:
  UploadCallTest() {
    options_.first_wait = milliseconds(0);
    options_.on_break = [this](const absl::Status& why) {
      told_.push_back("broke: " + std::string(Message(why)));
    };
    options_.on_resume = [this](std::int64_t offset) {
      told_.push_back("on at " + std::to_string(offset));
    };
  }

  absl::Status Send() {
    return SendWithResumes(
        [this](std::int64_t offset, milliseconds) {
          offsets_.push_back(offset);
          return offsets_.size() <= attempts_.size() ? attempts_[offsets_.size() - 1]
                                                     : Unavailable("away");
        },
        [this](milliseconds) -> absl::StatusOr<std::int64_t> {
          if (asked_ == received_.size()) {
            return Unavailable("still away");
          }
          return received_[asked_++];
        },
        options_,
        stop_.get_token());
  }

  std::vector<absl::Status> attempts_;
  std::vector<absl::StatusOr<std::int64_t>> received_;
  std::size_t asked_ = 0;
  UploadOptions options_;
  std::stop_source stop_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::string> told_;
};

TEST_F(UploadCallTest, OneAttemptIsEnoughWhereNothingBreaks) {
  attempts_ = {absl::OkStatus()};

  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(offsets_, ElementsAre(0));
  EXPECT_TRUE(told_.empty());
}

TEST_F(UploadCallTest, GoesOnWhereTheServiceHasItAndSaysSo) {
  attempts_ = {Unavailable("reset"), absl::CancelledError("stopping"), absl::OkStatus()};
  received_ = {Unavailable("refused"), 7, 9};

  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(offsets_, ElementsAre(0, 7, 9));
  EXPECT_THAT(told_, ElementsAre("broke: reset", "on at 7", "broke: stopping", "on at 9"));
}

TEST_F(UploadCallTest, AStreamThatWasEndedForBeingIdleGoesOn) {
  attempts_ = {absl::DeadlineExceededError("no message came for 60 s"), absl::OkStatus()};
  received_ = {7};

  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(offsets_, ElementsAre(0, 7));
}

TEST_F(UploadCallTest, AnErrorOfAnotherKindIsTheLast) {
  attempts_ = {Unavailable("reset"), InvalidArgument("line 3 has no end")};
  received_ = {7};

  const absl::Status sent = Send();

  EXPECT_EQ(sent.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(sent)), HasSubstr("line 3 has no end"));
  EXPECT_THAT(offsets_, ElementsAre(0, 7));
}

TEST_F(UploadCallTest, AQuestionThatIsRefusedIsTheLast) {
  received_ = {absl::PermissionDeniedError("not a writer")};

  EXPECT_EQ(Send().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(offsets_, ElementsAre(0));
}

TEST_F(UploadCallTest, AttemptsWithoutAByteMoreAreCounted) {
  options_.attempts_max = 3;
  received_ = {0, Unavailable("refused"), 0, 100, 200, 200, 200, 199, 300};

  const absl::Status sent = Send();

  EXPECT_EQ(sent.code(), absl::StatusCode::kUnavailable);
  // Two answers of 0 and a refusal are three: the fourth is not asked for.
  EXPECT_THAT(offsets_, ElementsAre(0, 0, 0));
  EXPECT_EQ(asked_, 3U);
}

TEST_F(UploadCallTest, AByteMoreBeginsTheCountAnew) {
  options_.attempts_max = 2;
  received_ = {0, 100, 50, 200, 200, 199, 300};

  EXPECT_EQ(Send().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(offsets_, ElementsAre(0, 0, 100, 50, 200, 200, 199));
}

TEST_F(UploadCallTest, NoAttemptAtAllMayFollowTheFirst) {
  options_.attempts_max = 0;
  received_ = {100};

  EXPECT_EQ(Send().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(offsets_, ElementsAre(0));
}

TEST_F(UploadCallTest, AWaitThatDoesNotFitIntoTheTimeIsNotBegun) {
  options_.timeout = std::chrono::hours(1);
  options_.first_wait = std::chrono::hours(2);

  EXPECT_EQ(Send().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(offsets_, ElementsAre(0));
}

TEST_F(UploadCallTest, AWishToStopEndsTheWait) {
  options_.timeout = std::chrono::hours(3);
  options_.first_wait = std::chrono::hours(1);
  options_.on_break = [this](const absl::Status&) { stop_.request_stop(); };
  received_ = {0};
  attempts_ = {Unavailable("reset"), absl::CancelledError("on the way")};

  const absl::Status sent = Send();

  EXPECT_EQ(sent.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(Message(sent)), HasSubstr("the upload was stopped"));
}

TEST_F(UploadCallTest, WhatWasDoneIsDoneWhateverWasWished) {
  stop_.request_stop();
  attempts_ = {absl::OkStatus()};

  EXPECT_TRUE(Send().ok());
}

}  // namespace
}  // namespace millrace::transfer
