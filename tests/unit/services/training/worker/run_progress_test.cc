#include "services/training/worker/run_progress.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/version/version.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

model::v1::EpochMetrics Epoch(std::int32_t epoch) {
  model::v1::EpochMetrics metrics;
  metrics.set_epoch(epoch);
  return metrics;
}

TrainerState StateAfter(std::int32_t epoch, std::int64_t steps_more = 0) {
  TrainerState state;
  state.epoch = epoch;
  state.step = std::int64_t{10} * epoch + steps_more;
  state.weights = {1.0F};
  return state;
}

class RunProgressTest : public testing::Test {
 protected:
  RunProgress& Begin(seconds interval,
                     std::int32_t epochs_stored = 0,
                     v1::CheckpointHeader from = {}) {
    progress_ = std::make_unique<RunProgress>(
        report_,
        folder_,
        RunProgress::Options{
            .interval = interval, .epochs_stored = epochs_stored, .now = [this] { return now_; }},
        std::move(from));
    return *progress_;
  }

  void End(std::int32_t epoch) {
    const absl::Status ended = progress_->EpochEnded(Epoch(epoch), StateAfter(epoch));
    EXPECT_TRUE(ended.ok()) << ended;
  }

  Checkpoint Kept() { return folder_.Find({}, 1'000'000)->checkpoint.value_or(Checkpoint()); }

  storage::TemporaryFolder path_;
  CheckpointFolder folder_{storage::PosixFileSystem(), path_.path()};
  std::vector<std::int32_t> epochs_;       // reported
  std::vector<std::int64_t> checkpoints_;  // steps, reported
  std::vector<std::string> notes_;
  absl::Status answer_;
  const Reporter report_ = [this](const v1::WorkerReport& report) {
    if (report.has_epoch()) {
      epochs_.push_back(report.epoch().epoch());
    } else if (report.has_checkpoint()) {
      checkpoints_.push_back(report.checkpoint().step());
    } else {
      notes_.push_back(report.note());
    }
    return answer_;
  };
  std::chrono::steady_clock::time_point now_{seconds(1000)};
  std::unique_ptr<RunProgress> progress_;
};

TEST_F(RunProgressTest, WithoutAnIntervalEveryEpochIsKept) {
  Begin(seconds(0));

  End(1);
  End(2);

  EXPECT_THAT(epochs_, ElementsAre(1, 2));
  EXPECT_THAT(checkpoints_, ElementsAre(10, 20));
  EXPECT_EQ(Kept().state.epoch, 2);
}

TEST_F(RunProgressTest, ALongEpochIsKeptWithinToo) {
  RunProgress& progress = Begin(seconds(0));

  now_ += RunProgress::kLongEpoch - seconds(1);
  EXPECT_FALSE(progress.WantsState());
  now_ += seconds(1);
  EXPECT_TRUE(progress.WantsState());
  ASSERT_TRUE(progress.StateReached(StateAfter(0, 7)).ok());

  EXPECT_FALSE(progress.WantsState());
  EXPECT_THAT(checkpoints_, ElementsAre(7));
  EXPECT_EQ(Kept().state.step, 7);
}

TEST_F(RunProgressTest, AnIntervalIsCountedFromTheCheckpointBefore) {
  RunProgress& progress = Begin(seconds(10));

  now_ += seconds(9);
  End(1);
  EXPECT_FALSE(progress.WantsState());
  now_ += seconds(1);
  EXPECT_TRUE(progress.WantsState());
  End(2);
  EXPECT_FALSE(progress.WantsState());
  now_ += seconds(9);
  End(3);
  now_ += seconds(1);
  ASSERT_TRUE(progress.StateReached(StateAfter(3, 5)).ok());

  EXPECT_THAT(epochs_, ElementsAre(1, 2, 3));
  EXPECT_THAT(checkpoints_, ElementsAre(20, 35));
}

TEST_F(RunProgressTest, TheEndOfTheTrainingIsKeptOnce) {
  RunProgress& often = Begin(seconds(0));
  End(1);
  ASSERT_TRUE(often.TrainingEnded(StateAfter(1)).ok());
  EXPECT_THAT(checkpoints_, ElementsAre(10));

  RunProgress& seldom = Begin(seconds(10));
  End(2);
  ASSERT_TRUE(seldom.TrainingEnded(StateAfter(2)).ok());
  EXPECT_THAT(checkpoints_, ElementsAre(10, 20));

  RunProgress& finished = Begin(seconds(10), 2, Kept().header);
  ASSERT_TRUE(finished.TrainingEnded(StateAfter(2)).ok());
  EXPECT_THAT(checkpoints_, ElementsAre(10, 20));
}

TEST_F(RunProgressTest, AnEpochThatTheServiceHasIsNotReportedAgain) {
  Begin(seconds(0), 2);

  for (const int epoch : {1, 2, 3}) {
    End(epoch);
  }

  EXPECT_THAT(epochs_, ElementsAre(3));
  EXPECT_EQ(Kept().header.recent_epochs_size(), 3);
}

TEST_F(RunProgressTest, EpochsThatWereLostOnTheirWayAreReportedFromTheCheckpoint) {
  Begin(seconds(0));
  for (const int epoch : {1, 2, 3, 4}) {
    End(epoch);
  }
  epochs_.clear();

  RunProgress& next = Begin(seconds(0), 2, Kept().header);
  ASSERT_TRUE(next.ReportEpochsBefore().ok());
  End(5);

  EXPECT_THAT(epochs_, ElementsAre(3, 4, 5));
}

// Large epochs, as with a confusion matrix of many classes.
TEST_F(RunProgressTest, ACheckpointRepeatsTheLastEpochsUpToALimit) {
  RunProgress& progress = Begin(seconds(10));
  for (int epoch = 1; epoch <= 40; ++epoch) {
    model::v1::EpochMetrics metrics = Epoch(epoch);
    metrics.mutable_validation()->mutable_confusion()->Resize(100'000, 1);
    ASSERT_TRUE(progress.EpochEnded(metrics, StateAfter(epoch)).ok());
  }
  ASSERT_TRUE(progress.TrainingEnded(StateAfter(40)).ok());

  const v1::CheckpointHeader header = Kept().header;

  // 14 of 100 KB are just more than 1.25 MiB.
  ASSERT_EQ(header.recent_epochs_size(), 14);
  EXPECT_EQ(header.recent_epochs(0).epoch(), 27);
  EXPECT_EQ(header.recent_epochs(13).epoch(), 40);
}

TEST_F(RunProgressTest, ADiskThatFailsIsToldOnceAndTheTrainingGoesOn) {
  Begin(seconds(0));
  End(1);
  std::filesystem::rename(path_.path(), path_.path() + ".away");
  End(2);
  End(3);
  std::filesystem::rename(path_.path() + ".away", path_.path());
  End(4);

  EXPECT_THAT(epochs_, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(checkpoints_, ElementsAre(10, 40));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("a checkpoint could not be written")));
}

TEST_F(RunProgressTest, AServiceThatDoesNotListenEndsTheTraining) {
  RunProgress& progress = Begin(seconds(0));
  answer_ = absl::UnavailableError("gone");

  EXPECT_THAT(progress.EpochEnded(Epoch(1), StateAfter(1)),
              Fails(absl::StatusCode::kUnavailable, "gone"));
  EXPECT_THAT(progress.StateReached(StateAfter(1, 1)),
              Fails(absl::StatusCode::kUnavailable, "gone"));
}

TEST_F(RunProgressTest, BuildsThatTookPartAreNamedInTheirOrder) {
  v1::CheckpointHeader from;
  from.add_builds("0.1.0+older");
  RunProgress& progress = Begin(seconds(0), 0, from);
  EXPECT_EQ(progress.BuildNames(), "0.1.0+older");

  End(1);
  End(2);

  EXPECT_EQ(progress.BuildNames(), "0.1.0+older then " + std::string(BuildName()));
  EXPECT_THAT(progress.kernel_level(), HasSubstr("AVX"));
}

}  // namespace
}  // namespace millrace::training
