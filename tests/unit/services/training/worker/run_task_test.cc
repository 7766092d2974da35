#include "services/training/worker/run_task.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/model/bundle.h"
#include "common/network/network.h"
#include "common/rpc/server.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/storage/sha256.h"
#include "services/training/publish/trained_files.h"
#include "services/training/train/spec.h"
#include "services/training/worker/checkpoint.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/example_data_service.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/whole_file.h"

namespace millrace::training {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int kEpochs = 12;

// All but the wall time.
std::string FiguresOf(model::v1::EpochMetrics metrics) {
  metrics.clear_seconds();
  metrics.clear_examples_per_second();
  return metrics.SerializeAsString();
}

// The part of a service that a worker talks to: it stores epochs, until it is lost.
struct Ledger {
  std::vector<std::string> epochs;  // figures
  std::vector<std::string> notes;
  std::vector<std::string> waits;
  std::int64_t checkpoint_step = 0;  // of the last one

  // Called after each report; an error is the end of the service.
  std::function<absl::Status(const v1::WorkerReport&)> after;

  // Whether reports still arrive, and are lost, as in the pipe of a service that was killed.
  bool is_lost = false;

  absl::Status Take(const v1::WorkerReport& report) {
    if (!is_lost && report.has_epoch()) {
      // In order, without gaps, and none twice.
      EXPECT_EQ(report.epoch().epoch(), static_cast<int>(epochs.size()) + 1);
      epochs.push_back(FiguresOf(report.epoch()));
    } else if (!is_lost && report.has_note()) {
      notes.push_back(report.note());
    } else if (!is_lost && report.has_waiting()) {
      waits.push_back(report.waiting());
    } else if (!is_lost && report.has_checkpoint()) {
      checkpoint_step = report.checkpoint().step();
    }
    return after ? after(report) : absl::OkStatus();
  }
};

class RunTaskTest : public testing::Test {
 protected:
  RunTaskTest()
      : data_server_(rpc::Server::Start({}, {&data_}).value()),
        task_(TaskIn(folder_.path())) {}

  // Ten steps an epoch, the last of 6 examples; dropout, momentum and early stopping: all that a
  // checkpoint has to hold.
  [[nodiscard]] v1::WorkerTask TaskIn(const std::string& folder) const {
    v1::WorkerTask task;
    task.set_run("runs/r1-ab");
    task.set_dataset_version("datasets/points/versions/1");
    task.set_model("models/points");
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "network { layers { dense { units: 10 activation: ACTIVATION_TANH } } "
        "layers { dropout { rate: 0.2 } } "
        "layers { dense { units: 1 activation: ACTIVATION_SIGMOID } } } "
        "optimizer { sgd { learning_rate: 0.1 momentum: 0.5 } } batch_size: 10 epochs: 12 "
        "seed: 8 threads: 1 early_stopping { patience: 12 }",
        task.mutable_spec()));
    FillDefaults(*task.mutable_spec());
    task.set_data_address("127.0.0.1:" + std::to_string(data_server_->port()));
    task.set_folder(folder);
    task.set_request_id("trace-7");
    task.mutable_create_time()->set_seconds(1'700'000'000);
    return task;
  }

  absl::StatusOr<v1::WorkerResult> Execute(Ledger& ledger) {
    task_.set_epochs_done(static_cast<int>(ledger.epochs.size()));
    const auto last = RunTask(
        task_,
        [&](const v1::WorkerReport& report) { return ledger.Take(report); },
        stop_.get_token(),
        patience_);
    if (!last.ok()) {
      return last.status();
    }
    gave_way_ = last->gave_way();
    return last->result();
  }

  absl::StatusOr<v1::WorkerResult> Execute() { return Execute(ledger_); }

  // What a run gives that nothing happens to, in a folder of its own.
  struct Undisturbed {
    v1::WorkerResult result;
    std::vector<std::string> epochs;
    std::string bundle;
  };

  Undisturbed ExecuteUndisturbed() {
    const storage::TemporaryFolder folder;
    v1::WorkerTask task = TaskIn(folder.path());
    Ledger ledger;
    const auto last =
        RunTask(task, [&](const v1::WorkerReport& report) { return ledger.Take(report); }, {});
    EXPECT_TRUE(last.ok()) << last.status();
    return {.result = last.value_or(v1::WorkerReport()).result(),
            .epochs = ledger.epochs,
            .bundle = ReadAll(folder.path() + "/bundle")};
  }

  // The service is gone when epoch `epoch` has come.
  void EndAfter(int epoch) {
    ledger_.after = [epoch](const v1::WorkerReport& report) {
      return report.epoch().epoch() == epoch ? Unavailable("the service is gone")
                                             : absl::OkStatus();
    };
  }

  void ExpectAsUndisturbed(const absl::StatusOr<v1::WorkerResult>& result) {
    ASSERT_TRUE(result.ok()) << result.status();
    const Undisturbed expected = ExecuteUndisturbed();
    EXPECT_EQ(result->SerializeAsString(), expected.result.SerializeAsString());
    EXPECT_EQ(ledger_.epochs, expected.epochs);
    // The same bytes: publishing them once more makes no second version.
    EXPECT_EQ(Bundle(), expected.bundle);
    EXPECT_TRUE(OpenTrained(storage::PosixFileSystem(), folder_.path()).ok());
    const auto bundle = model::ReadBundle(expected.bundle);
    ASSERT_TRUE(bundle.ok()) << bundle.status();
    EXPECT_EQ(bundle->manifest.numerics(), network::kNumerics);
  }

  [[nodiscard]] std::string Bundle() const { return ReadAll(folder_.path() + "/bundle"); }

  [[nodiscard]] std::string Newest() const { return folder_.path() + "/checkpoint"; }

  storage::TemporaryFolder folder_;
  ExampleDataService data_;
  std::unique_ptr<rpc::Server> data_server_;
  v1::WorkerTask task_;
  Patience::Options patience_{
      .waits = {.first = std::chrono::milliseconds(1), .longest = std::chrono::milliseconds(2)},
      .limit = std::chrono::hours(1)};
  std::string gave_way_;
  Ledger ledger_;
  std::stop_source stop_;
};

TEST_F(RunTaskTest, ATaskThatEndsAfterAnyEpochGoesOnFromThere) {
  for (const int epoch : {1, 2, 5, 11, 12}) {
    SCOPED_TRACE(epoch);
    ledger_ = Ledger();
    EndAfter(epoch);
    EXPECT_THAT(Execute(), Fails(absl::StatusCode::kUnavailable, "the service is gone"));
    EXPECT_EQ(ledger_.epochs.size(), static_cast<std::size_t>(epoch));
    EXPECT_EQ(ledger_.checkpoint_step, 10 * (epoch - 1));
    ledger_.after = {};

    ExpectAsUndisturbed(Execute());

    EXPECT_EQ(ledger_.checkpoint_step, 10 * kEpochs);
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::remove(entry);
    }
  }
}

TEST_F(RunTaskTest, WhereItGoesOnIsTold) {
  EndAfter(5);
  EXPECT_FALSE(Execute().ok());
  ledger_.after = {};

  EXPECT_TRUE(Execute().ok());

  EXPECT_THAT(ledger_.notes, Contains("resumed at epoch 5, step 40"));
}

TEST_F(RunTaskTest, ATaskThatEndsAfterEveryEpochComesToItsEnd) {
  int last = 0;
  ledger_.after = [&last](const v1::WorkerReport& report) {
    if (report.has_checkpoint() && report.checkpoint().epoch() > last) {
      last = report.checkpoint().epoch();
      return Unavailable("the service is gone");
    }
    return absl::OkStatus();
  };
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    EXPECT_FALSE(Execute().ok());
    EXPECT_EQ(last, epoch);
  }

  ExpectAsUndisturbed(Execute());
}

TEST_F(RunTaskTest, AnotherNumberOfThreadsGoesOnAsWell) {
  EndAfter(5);
  EXPECT_FALSE(Execute().ok());
  ledger_.after = {};
  task_.mutable_spec()->set_threads(2);

  const auto result = Execute();

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(ledger_.notes, Contains(HasSubstr("resumed at")));
  EXPECT_EQ(result->weights_sha256(), ExecuteUndisturbed().result.weights_sha256());
}

TEST_F(RunTaskTest, AStopKeepsACheckpointInTheMiddleOfAnEpoch) {
  ledger_.after = [&](const v1::WorkerReport& report) {
    if (report.epoch().epoch() == 5) {
      stop_.request_stop();
    }
    return absl::OkStatus();
  };
  EXPECT_THAT(Execute(), Fails(absl::StatusCode::kCancelled, "stopped in epoch 6"));
  EXPECT_EQ(ledger_.checkpoint_step, 51);
  ledger_.after = {};
  stop_ = std::stop_source();

  ExpectAsUndisturbed(Execute());

  EXPECT_THAT(ledger_.notes, Contains("resumed at epoch 6, step 51"));
}

// Reports 4 to 8 are still in the pipe when the service is killed.
TEST_F(RunTaskTest, EpochsThatWereLostOnTheirWayAreReportedOnceMore) {
  ledger_.after = [&](const v1::WorkerReport& report) {
    ledger_.is_lost = ledger_.is_lost || report.epoch().epoch() == 3;
    return report.epoch().epoch() == 8 ? Unavailable("the pipe is closed") : absl::OkStatus();
  };
  EXPECT_FALSE(Execute().ok());
  EXPECT_EQ(ledger_.epochs.size(), 3U);
  ledger_.after = {};
  ledger_.is_lost = false;

  ExpectAsUndisturbed(Execute());

  EXPECT_THAT(ledger_.notes, Contains("resumed at epoch 8, step 70"));
}

// The service is killed between the result and its own commit.
TEST_F(RunTaskTest, ATaskThatWasDoneIsDoneAgainWithTheSameBytes) {
  const auto first = Execute();
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string bundle = Bundle();

  const auto second = Execute();

  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(Bundle(), bundle);
  EXPECT_EQ(ledger_.epochs.size(), static_cast<std::size_t>(kEpochs));
}

TEST_F(RunTaskTest, DataThatComesLateIsWaitedForAndTold) {
  EndAfter(5);
  EXPECT_FALSE(Execute().ok());
  ledger_.after = {};
  int refusals = 4;
  data_.before_answer = [&] {
    return refusals-- > 0 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting")
                          : grpc::Status::OK;
  };

  ExpectAsUndisturbed(Execute());

  EXPECT_THAT(ledger_.waits, ElementsAre("", "the data service does not answer", ""));
}

TEST_F(RunTaskTest, ATaskThatHasWaitedLongEnoughGivesWayAndKeepsItsCheckpoint) {
  EndAfter(5);
  EXPECT_FALSE(Execute().ok());
  ledger_.after = {};
  data_.before_answer = [] { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting"); };
  patience_.limit = std::chrono::milliseconds(5);

  EXPECT_TRUE(Execute().ok());

  EXPECT_EQ(gave_way_, "the data service does not answer");
  data_.before_answer = {};
  ExpectAsUndisturbed(Execute());
  EXPECT_THAT(ledger_.notes, Contains("resumed at epoch 5, step 40"));
}

// A folder in the place of the unfinished file lets nothing be written there.
TEST_F(RunTaskTest, ABundleThatCannotBeWrittenIsWaitedFor) {
  const std::string obstacle = folder_.path() + "/bundle.tmp";
  std::filesystem::create_directory(obstacle);
  ledger_.after = [&](const v1::WorkerReport& report) {
    if (!report.waiting().empty()) {
      std::filesystem::remove(obstacle);
    }
    return absl::OkStatus();
  };

  ExpectAsUndisturbed(Execute());

  EXPECT_THAT(ledger_.waits,
              ElementsAre("", "the disk of the training service cannot be written", ""));
}

TEST_F(RunTaskTest, EveryEvaluationStandsBesideAConstantAnswer) {
  const auto result = Execute();

  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->evaluations_size(), 2);
  for (const model::v1::Evaluation& evaluation : result->evaluations()) {
    ASSERT_EQ(evaluation.baselines_size(), 1);
    EXPECT_EQ(evaluation.baselines(0).name(), "constant");
    EXPECT_GT(evaluation.baselines(0).loss(), 0.5);
    EXPECT_TRUE(evaluation.baselines(0).has_accuracy());
  }
}

// A rate at which nothing is learned but which throws the weights far away. 16 examples say little,
// 40 say it.
TEST_F(RunTaskTest, WhatIsWorseThanAConstantAnswerIsKeptBackWhereExamplesSaySo) {
  task_.mutable_spec()->mutable_optimizer()->mutable_sgd()->set_learning_rate(10);
  task_.mutable_spec()->set_epochs(1);
  task_.mutable_spec()->mutable_early_stopping()->set_patience(1);
  auto result = Execute();
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_GT(result->evaluations(0).loss(), result->evaluations(0).baselines(0).loss());
  EXPECT_EQ(result->kept_back(), "");
  EXPECT_THAT(ledger_.notes, Contains(HasSubstr("of 16 examples that says little")));

  data_.set_validation_count(40);
  ledger_ = Ledger();
  result = Execute();

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->kept_back(), HasSubstr("on validation its loss"));
  EXPECT_THAT(result->kept_back(), HasSubstr("`millrace run publish r1-ab` publishes it all the"));
  EXPECT_THAT(Bundle(), Not(IsEmpty()));
}

TEST_F(RunTaskTest, ADamagedCheckpointCostsOnlyWhatCameAfterTheOneBefore) {
  EndAfter(7);
  EXPECT_FALSE(Execute().ok());
  ledger_.after = {};
  std::filesystem::resize_file(Newest(), 100);

  ExpectAsUndisturbed(Execute());

  EXPECT_THAT(ledger_.notes, Contains(HasSubstr("checkpoint is damaged")));
  EXPECT_THAT(ledger_.notes, Contains("resumed at epoch 6, step 50"));
}

TEST_F(RunTaskTest, WithoutAWholeCheckpointItBeginsAgain) {
  EndAfter(7);
  EXPECT_FALSE(Execute().ok());
  ledger_.after = {};
  std::filesystem::resize_file(Newest(), 100);
  WriteAll(Newest() + ".previous", "notes of somebody else");

  ExpectAsUndisturbed(Execute());

  EXPECT_THAT(ledger_.notes, Contains(HasSubstr("checkpoint is damaged")));
  EXPECT_THAT(ledger_.notes, Contains(HasSubstr("checkpoint.previous is no checkpoint")));
  EXPECT_THAT(ledger_.notes, Not(Contains(HasSubstr("resumed"))));
}

TEST_F(RunTaskTest, ACheckpointOfAnotherRunIsPassedOver) {
  EndAfter(7);
  EXPECT_FALSE(Execute().ok());
  ledger_ = Ledger();
  task_.set_run("runs/r1-cd");

  const auto result = Execute();

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(ledger_.notes, Contains(HasSubstr("expected runs/r1-cd, found runs/r1-ab")));
  EXPECT_EQ(ledger_.epochs.size(), static_cast<std::size_t>(kEpochs));
}

TEST_F(RunTaskTest, ANewerCheckpointIsAFailureThatSaysSo) {
  EndAfter(7);
  EXPECT_FALSE(Execute().ok());
  ledger_.after = {};
  std::string bytes = ReadAll(Newest());
  bytes.resize(bytes.size() - 32);
  bytes[8] = 2;
  WriteAll(Newest(), bytes + storage::Sha256Of(bytes));

  EXPECT_THAT(Execute(), Fails(absl::StatusCode::kFailedPrecondition, "format version 2"));
}

TEST_F(RunTaskTest, ItWaitsForTheWorkerBeforeItToLeaveTheFolder) {
  const auto held = storage::FolderLock::Take(folder_.path());
  ASSERT_TRUE(held.ok()) << held.status();
  stop_.request_stop();

  EXPECT_THAT(Execute(), Fails(absl::StatusCode::kCancelled, "waited for its folder"));
  EXPECT_THAT(ledger_.notes, IsEmpty());
}

TEST_F(RunTaskTest, CallsCarryTheRequestId) {
  std::string seen;
  data_.before_examples = [&](schema::v1::Split /*split*/, grpc::ServerContext& context) {
    const auto id = context.client_metadata().find("x-request-id");
    seen = id == context.client_metadata().end()
               ? ""
               : std::string(id->second.data(), id->second.size());
    return grpc::Status::OK;
  };

  ASSERT_TRUE(Execute().ok());

  EXPECT_EQ(seen, "trace-7");
}

TEST_F(RunTaskTest, ATokenFileThatIsNotThereEndsTheTask) {
  task_.set_token_file(folder_.path() + "/token");

  EXPECT_THAT(Execute(), Fails(absl::StatusCode::kNotFound, "token"));
}

TEST_F(RunTaskTest, AnAuthorityThatIsNotThereEndsTheTask) {
  task_.mutable_tls()->set_authority(folder_.path() + "/authority.pem");

  EXPECT_THAT(Execute(), Fails(absl::StatusCode::kNotFound, "authority.pem"));
}

}  // namespace
}  // namespace millrace::training
