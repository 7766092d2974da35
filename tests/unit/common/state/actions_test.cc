#include "common/state/actions.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/state/small_state.h"

namespace millrace::state {
namespace {

using config::Words;
using testing::HasSubstr;

class ActionsTest : public testing::Test {
 protected:
  ActionsTest() { MakeSmallState(path_); }

  absl::Status Do(Words::Action action, const std::string& folder = {}) {
    testing::internal::CaptureStdout();
    const absl::Status status = Act(SmallLayout(), path_, {.action = action, .folder = folder});
    printed_ = testing::internal::GetCapturedStdout();
    return status;
  }

  storage::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/state";
  std::string printed_;
};

TEST_F(ActionsTest, VerifyTellsWhatItRead) {
  EXPECT_TRUE(Do(Words::Action::kVerify).ok());
  EXPECT_EQ(printed_, "verified " + path_ + ": 3 blobs, 2 audit lines, 0 damaged\n");
}

TEST_F(ActionsTest, VerifyNamesWhatIsDamagedAndFails) {
  std::filesystem::remove(BlobPath(path_, "two"));

  const absl::Status status = Do(Words::Action::kVerify);

  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("is damaged"));
  EXPECT_THAT(printed_, HasSubstr("damaged: blob "));
  EXPECT_THAT(printed_, HasSubstr("is missing, needed by things/two\n"));
  EXPECT_THAT(printed_, HasSubstr("1 damaged\n"));
}

TEST_F(ActionsTest, BackupAndRestoreCopyInTheirDirection) {
  const std::string copy = folder_.path() + "/copy";
  EXPECT_TRUE(Do(Words::Action::kBackup, copy).ok());
  EXPECT_THAT(printed_, HasSubstr("copied the state to " + copy));

  const absl::Status full = Do(Words::Action::kRestore, copy);
  EXPECT_EQ(full.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(full)), HasSubstr(path_ + " is not empty"));

  std::filesystem::remove_all(path_);
  EXPECT_TRUE(Do(Words::Action::kRestore, copy).ok());
  EXPECT_THAT(printed_, HasSubstr("restored the state to " + path_));
  EXPECT_TRUE(Do(Words::Action::kVerify).ok());
}

}  // namespace
}  // namespace millrace::state
