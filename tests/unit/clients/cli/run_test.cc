#include "clients/cli/run.h"

#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/run_summary.h"
#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using training::v1::CreateRunRequest;
using RunMessage = training::v1::Run;  // a test has a Run() of its own
using training::v1::RunEvent;
using training::v1::WatchRunRequest;

constexpr const char* kSpec = "network: {layers: [{dense: {units: 2}}]}\nepochs: 20\nseed: 7\n";

class RunTest : public CommandTest {
 protected:
  RunTest() {
    training_.create_run = [this](const CreateRunRequest& request, RunMessage& run) {
      request_ = request;
      run = SampleRun(RunMessage::STATE_QUEUED);
      return absl::OkStatus();
    };
    EndWith(SampleRun(RunMessage::STATE_SUCCEEDED));
  }

  // Whoever watches sees the run start and end as `last`.
  void EndWith(const RunMessage& last) {
    training_.watch_run = [last](grpc::ServerContext&,
                                 const WatchRunRequest& request,
                                 grpc::ServerWriter<RunEvent>& events) {
      EXPECT_EQ(request.name(), "runs/amber-owl");
      RunEvent event;
      event.set_sequence(1);
      *event.mutable_run() = SampleRun(RunMessage::STATE_RUNNING);
      events.Write(event);
      event.set_sequence(2);
      *event.mutable_run() = last;
      events.Write(event);
      return absl::OkStatus();
    };
  }

  CommandResult Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {
        "run", "start", "-f", File("spec.yaml", kSpec), "--dataset=iris", "--model=iris"};
    words.insert(words.end(), more.begin(), more.end());
    return Command(words);
  }

  CreateRunRequest request_;  // of the last start
};

TEST_F(RunTest, StartFollowsTheRunAndPrintsItsSummary) {
  const CommandResult result = Start();
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out, RunSummary(SampleRun(RunMessage::STATE_SUCCEEDED)));
  EXPECT_EQ(result.err,
            "run amber-owl: running\nrun amber-owl: succeeded\n"
            "next: millrace model show iris@3\n");
  EXPECT_EQ(request_.dataset_version(), "datasets/iris");
  EXPECT_EQ(request_.model(), "models/iris");
  EXPECT_EQ(request_.spec().epochs(), 20);
  EXPECT_EQ(request_.spec().seed(), 7);
}

TEST_F(RunTest, FlagsGoOverTheSpec) {
  ASSERT_EQ(Start({"--epochs=3",
                   "--batch-size=8",
                   "--seed=-1",
                   "--threads=2",
                   "--set=loss=huber",
                   "--set",
                   "early_stopping.patience=5"})
                .exit,
            Exit::kDone);
  EXPECT_EQ(request_.spec().epochs(), 3);
  EXPECT_EQ(request_.spec().batch_size(), 8);
  EXPECT_EQ(request_.spec().seed(), -1);
  EXPECT_EQ(request_.spec().threads(), 2);
  EXPECT_EQ(request_.spec().loss(), model::v1::LOSS_HUBER);
  EXPECT_EQ(request_.spec().early_stopping().patience(), 5);
}

TEST_F(RunTest, StartCanReturnAtOnce) {
  const CommandResult result = Start({"--detach"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out, "amber-owl\n");
  EXPECT_EQ(result.err, "next: millrace run watch amber-owl\n");
  EXPECT_EQ(Start({"--detach", "-ojson"}).Json()["state"], "STATE_QUEUED");
}

TEST_F(RunTest, StartAsJsonIsTheRunAsItEnded) {
  EXPECT_EQ(Start({"-ojson"}).Json()["modelVersion"], "models/iris/versions/3");
}

TEST_F(RunTest, CtrlCDetachesAndSaysSo) {
  training_.watch_run =
      [this](grpc::ServerContext& context, const WatchRunRequest&, grpc::ServerWriter<RunEvent>&) {
        stop_.request_stop();
        while (!context.IsCancelled()) {
          std::this_thread::yield();
        }
        return absl::OkStatus();
      };
  const CommandResult result = Start();
  EXPECT_EQ(result.exit, Exit::kInterrupted);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "detached from run amber-owl, which goes on\n"
            "next: 'millrace run watch amber-owl' follows it, 'millrace run cancel amber-owl' ends "
            "it\n");
}

TEST_F(RunTest, ARunThatFailsFailsTheCommand) {
  RunMessage failed = SampleRun(RunMessage::STATE_FAILED);
  failed.set_failure("the loss is no number");
  failed.set_failure_code(3);
  EndWith(failed);
  const CommandResult result = Start();
  EXPECT_EQ(result.exit, Exit::kInvalid);
  EXPECT_EQ(result.out, RunSummary(SampleRun(RunMessage::STATE_FAILED))) << "told once";
  EXPECT_THAT(result.err,
              testing::ContainsRegex("error: run amber-owl failed: the loss is no number\n"
                                     "code: INVALID_ARGUMENT .exit 5., request [0-9a-f]{16}\n"
                                     "fix: 'millrace run show amber-owl' has its spec\n$"));
}

TEST_F(RunTest, AFullQueueIsWorthAnotherTry) {
  training_.create_run = [](const CreateRunRequest&, RunMessage&) {
    return ResourceExhausted("the queue holds 100 runs");
  };
  EXPECT_THAT(Start(), FailsWith(Exit::kTryAgain, "fix: try again when less is going on"));
}

TEST_F(RunTest, ASpecThatCannotBeReadSaysWhere) {
  const std::string spec = File("bad.yaml", "epochs: many\n");
  EXPECT_THAT(Command({"run", "start", "-f", spec, "--dataset=a", "--model=b"}),
              FailsWith(Exit::kInvalid, "bad.yaml:1:9"));
  EXPECT_THAT(Command({"run", "start", "-f", "none.yaml", "--dataset=a", "--model=b"}),
              FailsWith(Exit::kNotFound, "there is no file 'none.yaml'"));
  EXPECT_THAT(Start({"--set=epochs"}), FailsWith(Exit::kUsage, "--set must be PATH=VALUE"));
  EXPECT_THAT(Start({"--epochs=many"}), FailsWith(Exit::kUsage, "--epochs"));
}

TEST_F(RunTest, WatchAsJsonIsAnObjectALine) {
  const CommandResult result = Command({"run", "watch", "amber-owl", "-ojson"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.err, "");
  std::istringstream lines(result.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << line;
    EXPECT_EQ(json["sequence"], std::to_string(count + 1));
  }
  EXPECT_EQ(count, 2);
}

TEST_F(RunTest, WatchPrintsTheSummaryAtTheEnd) {
  const CommandResult result = Command({"run", "watch", "runs/amber-owl"});
  EXPECT_EQ(result.out, RunSummary(SampleRun(RunMessage::STATE_SUCCEEDED)));
  RunMessage cancelled = SampleRun(RunMessage::STATE_CANCELLED);
  EndWith(cancelled);
  EXPECT_EQ(Command({"run", "watch", "amber-owl"}).exit, Exit::kFailed);
}

TEST_F(RunTest, AListIsATableOfRuns) {
  training_.list_runs = [](const training::v1::ListRunsRequest&,
                           training::v1::ListRunsResponse& response) {
    *response.add_runs() = SampleRun(RunMessage::STATE_RUNNING);
    *response.add_runs() = SampleRun(RunMessage::STATE_SUCCEEDED);
    return absl::OkStatus();
  };
  EXPECT_EQ(
      Command({"run", "ls"}).out,
      "NAME       STATE      EPOCHS  DATASET  MODEL   VALIDATION  TEST             CREATED "
      "(UTC)\n"
      "amber-owl  running      0/20  iris@1   iris    -           -                2024-05-01 "
      "12:30:05\n"
      "amber-owl  succeeded   20/20  iris@1   iris@3  -           accuracy 0.9565  2024-05-01 "
      "12:30:05\n");
  EXPECT_EQ(Command({"run", "ls", "-ojson"}).Json()["runs"].size(), 2U);
}

TEST_F(RunTest, AnEmptyListSaysHowToBegin) {
  training_.list_runs = [](const training::v1::ListRunsRequest&, training::v1::ListRunsResponse&) {
    return absl::OkStatus();
  };
  const CommandResult result = Command({"run", "ls"});
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("no runs yet\nnext: millrace run start"));
}

TEST_F(RunTest, ShowIsTheRunAsItIsNow) {
  training_.get_run = [](const training::v1::GetRunRequest& request, RunMessage& run) {
    EXPECT_EQ(request.name(), "runs/amber-owl");
    run = SampleRun(RunMessage::STATE_RUNNING);
    return absl::OkStatus();
  };
  EXPECT_EQ(Command({"run", "show", "amber-owl"}).out,
            RunSummary(SampleRun(RunMessage::STATE_RUNNING)));
  EXPECT_EQ(Command({"run", "show", "amber-owl", "-ojson"}).Json()["state"], "STATE_RUNNING");
}

TEST_F(RunTest, CancelSaysWhatTheRunDoesNow) {
  training_.cancel_run = [](const training::v1::CancelRunRequest& request, RunMessage& run) {
    if (request.name() != "runs/amber-owl") {
      return FailedPrecondition("the run has ended");
    }
    run = SampleRun(RunMessage::STATE_CANCELLING);
    return absl::OkStatus();
  };
  EXPECT_EQ(Command({"run", "cancel", "amber-owl"}).out, "run amber-owl: cancelling\n");
  EXPECT_EQ(Command({"run", "cancel", "amber-owl", "-ojson"}).Json()["state"], "STATE_CANCELLING");
  EXPECT_THAT(Command({"run", "cancel", "old"}), FailsWith(Exit::kInvalid, "the run has ended"));
}

TEST_F(RunTest, PublishSaysWhatTheRunDoesNow) {
  training_.publish_run = [](const training::v1::PublishRunRequest& request, RunMessage& run) {
    if (request.name() != "runs/amber-owl") {
      return FailedPrecondition("the run is not unpublished");
    }
    run = SampleRun(RunMessage::STATE_PUBLISHING);
    return absl::OkStatus();
  };
  const CommandResult result = Command({"run", "publish", "amber-owl"});
  EXPECT_EQ(result.out, "run amber-owl: publishing\n");
  EXPECT_EQ(result.err, "next: millrace run watch amber-owl\n");
  EXPECT_THAT(Command({"run", "publish", "old"}), FailsWith(Exit::kInvalid, "is not unpublished"));
}

TEST_F(RunTest, RmAsksAndSaysWhatGoesWithAnUnpublishedRun) {
  training_.get_run = [](const auto&, RunMessage& run) {
    run = SampleRun(RunMessage::STATE_UNPUBLISHED);
    return absl::OkStatus();
  };
  std::string name;
  training_.delete_run = [&name](const training::v1::DeleteRunRequest& request, auto&) {
    name = request.name();
    return absl::OkStatus();
  };
  const CommandResult result = Command({"run", "rm", "amber-owl", "--yes"});
  EXPECT_EQ(result.out, "deleted run amber-owl\n");
  EXPECT_THAT(result.err, HasSubstr("what it learned goes with it"));
  EXPECT_EQ(name, "runs/amber-owl");
}

TEST_F(RunTest, ARunThatRestsUnpublishedEndsTheWatchAndSaysHowItGoesOn) {
  RunMessage resting = SampleRun(RunMessage::STATE_UNPUBLISHED);
  resting.set_reason("it is worse than the mean");
  training_.get_run = [&resting](const auto&, RunMessage& run) {
    run = resting;
    return absl::OkStatus();
  };
  training_.watch_run = [&resting](grpc::ServerContext& context,
                                   const WatchRunRequest&,
                                   grpc::ServerWriter<RunEvent>& events) {
    RunEvent event;
    event.set_sequence(1);
    *event.mutable_run() = resting;
    events.Write(event);
    while (!context.IsCancelled()) {  // such a stream has no end
      std::this_thread::yield();
    }
    return absl::OkStatus();
  };
  const CommandResult result = Command({"run", "watch", "amber-owl"});
  EXPECT_EQ(result.exit, Exit::kInvalid);
  EXPECT_THAT(result.err, HasSubstr("run amber-owl: unpublished: it is worse than the mean\n"));
  EXPECT_THAT(result.err, HasSubstr("fix: 'millrace run publish amber-owl' publishes it"));
}

TEST_F(RunTest, AListSaysWhatRunsWaitFor) {
  training_.list_runs = [](const auto&, training::v1::ListRunsResponse& response) {
    RunMessage& run = *response.add_runs();
    run = SampleRun(RunMessage::STATE_WAITING);
    run.set_reason("the data service is away");
    return absl::OkStatus();
  };
  EXPECT_EQ(Command({"run", "ls"}).err, "amber-owl waiting: the data service is away\n");
  EXPECT_THAT(Command({"run", "list", "-owide"}).out, HasSubstr("the data service is away"));
}

TEST_F(RunTest, WithoutAFileTheSpecFitsTheTask) {
  data_.get_dataset = [](const auto&, data::v1::DatasetVersion& version) {
    version = SampleDataset();
    version.mutable_transforms()->set_task(schema::v1::TASK_MULTICLASS);
    for (const char* const name : {"a", "b", "c"}) {
      version.mutable_transforms()->mutable_label()->add_classes(name);
    }
    return absl::OkStatus();
  };
  const CommandResult result = Command({"run", "start", "--dataset=iris@1", "--epochs=9"});
  EXPECT_EQ(result.exit, Exit::kDone) << result.err;
  EXPECT_THAT(result.err,
              testing::StartsWith(
                  "chosen for it: 64 relu, 32 relu, 3 softmax; categorical_crossentropy; adam "
                  "0.001; batches of 32; up to 9 epochs, ends after 16 that validate no better\n"));
  EXPECT_EQ(request_.model(), "models/iris");
  EXPECT_EQ(request_.spec().epochs(), 9);
  EXPECT_EQ(request_.spec().network().layers(2).dense().units(), 3);
}

TEST_F(RunTest, TrafficCanStayWhereItIs) {
  ASSERT_EQ(Start({"--no-traffic"}).exit, Exit::kDone);
  EXPECT_TRUE(request_.no_traffic());
}

TEST_F(RunTest, ADryRunSaysWhatTheServiceSays) {
  training_.create_run = [](const CreateRunRequest& request, RunMessage&) {
    EXPECT_TRUE(request.validate_only());
    return InvalidArgument("training.batch_size must be in [1, 65536], found 0");
  };
  EXPECT_THAT(Start({"--dry-run"}),
              FailsWith(Exit::kInvalid, "error: batch_size must be in [1, 65536], found 0"));
  EXPECT_THAT(Start({"--dry-run", "--batch-size=0"}),
              FailsWith(Exit::kInvalid, "error: --batch-size must be in [1, 65536], found 0"));
}

TEST_F(RunTest, AServiceThatIsDownSaysWhatToDo) {
  StopServer(training_server_);
  EXPECT_THAT(Start(),
              FailsWith(Exit::kTryAgain, "fix: 'millrace up' starts it; --training-address"));
  for (const char* const verb : {"show", "watch", "cancel"}) {
    EXPECT_THAT(Command({"run", verb, "a"}),
                FailsWith(Exit::kTryAgain, "cannot reach the training service"));
  }
}

}  // namespace
}  // namespace millrace::cli
