#include "clients/cli/follow.h"

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/failure.h"
#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using training::Fails;
using RunMessage = training::v1::Run;  // a test has a Run() of its own
using training::v1::RunEvent;
using training::v1::WatchRunRequest;

using Events = grpc::ServerWriter<RunEvent>;

RunEvent StateEvent(std::int64_t sequence, RunMessage::State state) {
  RunEvent event;
  event.set_sequence(sequence);
  *event.mutable_run() = SampleRun(state);
  return event;
}

RunEvent EpochEvent(std::int64_t sequence, int epoch) {
  RunEvent event;
  event.set_sequence(sequence);
  event.mutable_epoch()->set_epoch(epoch);
  event.mutable_epoch()->set_train_loss(0.0931);
  event.mutable_epoch()->set_examples_per_second(467'000);
  return event;
}

// Waits until the caller has gone. The caller is what the test is about, so it has no limit.
void WaitUntilCancelled(const grpc::ServerContext& context) {
  while (!context.IsCancelled()) {
    std::this_thread::yield();
  }
}

class FollowTest : public ShellTest {
 protected:
  absl::StatusOr<RunMessage> WatchAll() {
    return Watch(shell_, "runs/amber-owl", [this](const RunEvent& event) {
      sequences_.push_back(event.sequence());
    });
  }

  std::vector<std::int64_t> sequences_;
};

TEST_F(FollowTest, AWatchEndsWithTheRun) {
  training_.watch_run = [](grpc::ServerContext&, const WatchRunRequest& request, Events& events) {
    EXPECT_EQ(request.name(), "runs/amber-owl");
    events.Write(StateEvent(1, RunMessage::STATE_RUNNING));
    events.Write(EpochEvent(2, 1));
    events.Write(StateEvent(3, RunMessage::STATE_SUCCEEDED));
    return absl::OkStatus();
  };
  const auto run = WatchAll();
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state(), RunMessage::STATE_SUCCEEDED);
  EXPECT_EQ(run->model_version(), "models/iris/versions/3");
  EXPECT_THAT(sequences_, ElementsAre(1, 2, 3));
}

TEST_F(FollowTest, AWatchThatTookTooLongIsTakenUpWhereItWas) {
  std::vector<std::int64_t> after;
  training_.watch_run = [&](grpc::ServerContext&, const WatchRunRequest& request, Events& events) {
    after.push_back(request.after_sequence());
    if (after.size() == 1) {
      events.Write(StateEvent(1, RunMessage::STATE_RUNNING));
      events.Write(EpochEvent(2, 1));
      return absl::DeadlineExceededError("an hour");
    }
    events.Write(StateEvent(3, RunMessage::STATE_SUCCEEDED));
    return absl::OkStatus();
  };
  ASSERT_TRUE(WatchAll().ok());
  EXPECT_THAT(after, ElementsAre(0, 2));
  EXPECT_THAT(sequences_, ElementsAre(1, 2, 3));
}

TEST_F(FollowTest, AWatchThatBreaksOffSaysHowToTakeItUp) {
  training_.watch_run = [](grpc::ServerContext&, const WatchRunRequest&, Events& events) {
    events.Write(StateEvent(1, RunMessage::STATE_RUNNING));
    return Unavailable("the service stops");
  };
  const auto run = WatchAll();
  EXPECT_THAT(run,
              Fails(absl::StatusCode::kUnavailable,
                    "ended the watch of run amber-owl before the run ended: the service stops"));
  EXPECT_EQ(Fix(run.status()), "'millrace run watch amber-owl' takes it up again");
}

TEST_F(FollowTest, AWatchThatEndsTooEarlyIsBrokenOff) {
  training_.watch_run = [](grpc::ServerContext&, const WatchRunRequest&, Events&) {
    return absl::OkStatus();
  };
  EXPECT_THAT(WatchAll(), Fails(absl::StatusCode::kUnavailable, "before the run ended"));
}

TEST_F(FollowTest, AnUnknownRunIsNotFound) {
  training_.watch_run = [](grpc::ServerContext&, const WatchRunRequest&, Events&) {
    return WithFix(NotFound("there is no run 'amber-owl'"), "list them");
  };
  const auto run = WatchAll();
  EXPECT_THAT(run, Fails(absl::StatusCode::kNotFound, "there is no run"));
  EXPECT_EQ(Fix(run.status()), "list them");
}

TEST_F(FollowTest, AWishToStopDetachesAndSaysSo) {
  training_.watch_run = [this](
                            grpc::ServerContext& context, const WatchRunRequest&, Events& events) {
    events.Write(StateEvent(1, RunMessage::STATE_RUNNING));
    stop_.request_stop();
    WaitUntilCancelled(context);
    return absl::OkStatus();
  };
  const auto run = WatchAll();
  EXPECT_THAT(run,
              Fails(absl::StatusCode::kCancelled, "detached from run amber-owl, which goes on"));
  EXPECT_EQ(Describe(run.status(), /*interrupted=*/true),
            "detached from run amber-owl, which goes on\n"
            "next: 'millrace run watch amber-owl' follows it, 'millrace run cancel amber-owl' ends "
            "it\n");
}

TEST_F(FollowTest, AWishToStopThatComesWithTheEndDoesNotHideIt) {
  training_.watch_run = [](grpc::ServerContext& context, const WatchRunRequest&, Events& events) {
    events.Write(StateEvent(1, RunMessage::STATE_SUCCEEDED));
    WaitUntilCancelled(context);
    return absl::OkStatus();
  };
  const auto run =
      Watch(shell_, "runs/amber-owl", [this](const RunEvent&) { stop_.request_stop(); });
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state(), RunMessage::STATE_SUCCEEDED);
}

TEST_F(FollowTest, ARunIsToldInPlainLinesWhereNoTerminalIs) {
  training_.watch_run = [](grpc::ServerContext&, const WatchRunRequest&, Events& events) {
    events.Write(StateEvent(1, RunMessage::STATE_RUNNING));
    RunEvent note;
    note.set_sequence(2);
    note.set_note("fetched 104 examples\x1b[2J");
    events.Write(note);
    for (int epoch = 1; epoch <= 20; ++epoch) {
      events.Write(EpochEvent(2 + epoch, epoch));
    }
    events.Write(StateEvent(23, RunMessage::STATE_SUCCEEDED));
    return absl::OkStatus();
  };
  ASSERT_TRUE(Follow(shell_, "runs/amber-owl").ok());
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(),
              testing::StartsWith("run amber-owl: running\n"
                                  "  fetched 104 examples\\x1b[2J\n"
                                  "epoch   10 %  2/20  loss: train 0.0931   467000 rows/s\n"
                                  "epoch   20 %  4/20"));
  EXPECT_THAT(err_.str(), testing::EndsWith("rows/s\nrun amber-owl: succeeded\n"));
  EXPECT_THAT(err_.str(), Not(HasSubstr("\x1b")));
}

TEST_F(FollowTest, ATerminalIsToldWhatCtrlCDoes) {
  training_.watch_run = [](grpc::ServerContext&, const WatchRunRequest&, Events& events) {
    RunEvent epoch = EpochEvent(2, 20);
    model::v1::Evaluation& validation = *epoch.mutable_epoch()->mutable_validation();
    validation.set_loss(0.121);
    validation.set_accuracy(0.965);
    events.Write(StateEvent(1, RunMessage::STATE_RUNNING));
    events.Write(epoch);
    events.Write(StateEvent(3, RunMessage::STATE_SUCCEEDED));
    return absl::OkStatus();
  };
  Console console(out_, err_, /*live=*/true);
  Shell shell{.console = console, .connection = connection_};
  ASSERT_TRUE(Follow(shell, "runs/amber-owl").ok());
  EXPECT_THAT(
      err_.str(),
      testing::StartsWith("ctrl-c detaches; 'millrace run cancel amber-owl' ends the run\n"));
  EXPECT_THAT(err_.str(),
              HasSubstr("epoch  ########################  100 %  20/20  loss: train 0.0931, "
                        "validation 0.1210   accuracy 0.9650   467000 rows/s"));
}

TEST_F(FollowTest, AnInterruptedCreationSaysHowToSeeWhetherItWas) {
  training_.create_run = [this](const training::v1::CreateRunRequest&, RunMessage& run) {
    stop_.request_stop();
    run = SampleRun(RunMessage::STATE_QUEUED);
    return absl::OkStatus();
  };
  ASSERT_TRUE(connection_.Training().ok());
  stop_.request_stop();
  const auto run = CreateRun(shell_, training::v1::CreateRunRequest());
  EXPECT_THAT(run, Fails(absl::StatusCode::kCancelled, "interrupted"));
  EXPECT_EQ(Fix(run.status()), "'millrace run ls' shows whether the run was created");
}

TEST_F(FollowTest, OnlySuccessIsAGoodOutcome) {
  EXPECT_TRUE(Outcome(SampleRun(RunMessage::STATE_SUCCEEDED)).ok());
  RunMessage failed = SampleRun(RunMessage::STATE_FAILED);
  failed.set_failure("the loss is no number");
  EXPECT_THAT(Outcome(failed),
              Fails(absl::StatusCode::kUnknown, "run amber-owl failed: the loss is no number"));
  EXPECT_EQ(Fix(Outcome(failed)), "'millrace run show amber-owl' has its spec");
  RunMessage cancelled = SampleRun(RunMessage::STATE_CANCELLED);
  cancelled.set_epochs_done(4);
  EXPECT_THAT(Outcome(cancelled),
              Fails(absl::StatusCode::kCancelled, "was cancelled after 4 epochs"));
  EXPECT_EQ(ExitFor(Outcome(cancelled), /*interrupted=*/false), Exit::kFailed);
}

}  // namespace
}  // namespace millrace::cli
