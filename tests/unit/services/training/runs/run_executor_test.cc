#include "services/training/runs/run_executor.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/runs/full_disk.h"
#include "tests/unit/services/training/runs/run_executor_fixture.h"
#include "tests/unit/services/training/whole_file.h"

namespace millrace::training {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using v1::RunEvent;

TEST_F(RunExecutorTest, AGoodRunEndsWithItsResultAndItsHistory) {
  worker_.SaysNote("fetched").SaysEpoch(1).SaysEpoch(2).SaysResult();
  Start();

  const std::string name = Create();
  const v1::Run run = AwaitEnd(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(run.model_version(), "models/points/versions/4");
  EXPECT_EQ(run.weights_sha256(), "ab");
  EXPECT_EQ(run.best_epoch(), 2);
  EXPECT_EQ(run.epochs_done(), 2);
  ASSERT_EQ(run.evaluations_size(), 1);
  EXPECT_EQ(run.evaluations(0).loss(), 0.25);
  std::vector<RunEvent::KindCase> kinds;
  for (const RunEvent& event : EventsOf(name)) {
    kinds.push_back(event.kind_case());
  }
  EXPECT_THAT(kinds,
              ElementsAre(RunEvent::kRun,
                          RunEvent::kRun,
                          RunEvent::kNote,
                          RunEvent::kEpoch,
                          RunEvent::kEpoch,
                          RunEvent::kRun,
                          RunEvent::kRun));
  EXPECT_THAT(StatesOf(name),
              ElementsAre(v1::Run::STATE_QUEUED,
                          v1::Run::STATE_RUNNING,
                          v1::Run::STATE_PUBLISHING,
                          v1::Run::STATE_SUCCEEDED));
}

TEST_F(RunExecutorTest, TheRunsFolderIsThereForItsWorkerAndGoneAfterwards) {
  worker_.Does("test -d '" + options_.folder + "/1' || exit 9").SaysResult();
  Start();

  EXPECT_EQ(AwaitEnd(Create()).state(), v1::Run::STATE_SUCCEEDED);
  executor_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

TEST_F(RunExecutorTest, AFailureIsTheWorkersOwnWords) {
  worker_.SaysEpoch(1).SaysFailure("a label is damaged");
  Start();

  const v1::Run run = AwaitEnd(Create());

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_EQ(run.failure(), "a label is damaged");
  EXPECT_EQ(run.failure_code(), 3);
  EXPECT_EQ(run.epochs_done(), 1);
}

TEST_F(RunExecutorTest, AWorkerThatCrashesIsStartedAgain) {
  worker_.AtStart(1).SaysEpoch(1).Crashes().EndOfStart().SaysEpoch(2).SaysResult();
  Start();

  const std::string name = Create();
  const v1::Run run = AwaitEnd(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_SUCCEEDED) << run.failure();
  EXPECT_EQ(run.epochs_done(), 2);
  EXPECT_THAT(NotesOf(name),
              ElementsAre("the worker was killed by signal 9 (Killed) and is started again"));
}

TEST_F(RunExecutorTest, ThreeCrashesWithoutProgressFailTheRun) {
  worker_.AtStart(1).EndOfStart().SaysNote("begun").Does("kill -SEGV $$");
  Start();

  const std::string name = Create();
  const v1::Run run = AwaitEnd(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_THAT(run.failure(), HasSubstr("killed by signal 11 (Segmentation fault) before it had"));
  EXPECT_THAT(run.failure(), HasSubstr("2 starts before without a new epoch or checkpoint"));
  EXPECT_EQ(LinesOf(worker_.starts()), 3);
  EXPECT_EQ(NotesOf(name).size(), 5U);  // three begun, two started again
  executor_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

// An epoch at the first start, a checkpoint at the third; epochs and checkpoints that have been
// before are no progress. So the starts after the third, the fourth to the sixth, are idle.
TEST_F(RunExecutorTest, ProgressIsANewEpochOrANewCheckpoint) {
  worker_.AtStart(1).EndOfStart().SaysEpoch(1);
  worker_.AtStart(3).SaysCheckpoint(40).EndOfStart();
  worker_.AtStart(4).SaysCheckpoint(40).EndOfStart();
  worker_.AtStart(5).SaysCheckpoint(39).EndOfStart();
  worker_.Crashes();
  Start();

  const std::string name = Create();
  const v1::Run run = AwaitEnd(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_EQ(LinesOf(worker_.starts()), 6);
  EXPECT_EQ(run.epochs_done(), 1);
}

TEST_F(RunExecutorTest, AFailureThatAWorkerReportsIsNotTriedAgain) {
  worker_.AtStart(1).EndOfStart().SaysFailure("the disk is full").Crashes();
  Start();

  EXPECT_EQ(AwaitEnd(Create()).failure(), "the disk is full");
  EXPECT_EQ(LinesOf(worker_.starts()), 1);
}

TEST_F(RunExecutorTest, ACancelledRunIsNotStartedAgain) {
  worker_.AtStart(1).EndOfStart().SaysNote("working").GoesOn();
  Start();
  const std::string name = Create();
  AwaitNote(name);

  ASSERT_TRUE(executor_->Cancel(name).ok());

  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_CANCELLED);
  EXPECT_EQ(LinesOf(worker_.starts()), 1);
}

// The second start is cancelled while it goes on from where the first one was killed.
TEST_F(RunExecutorTest, ARunIsCancelledAfterItWasStartedAgain) {
  worker_.AtStart(1).SaysEpoch(1).Crashes().EndOfStart().SaysNote("resumed").GoesOn();
  Start();
  const std::string name = Create();
  Await(name, [&] { return NotesOf(name).size() == 2; });

  ASSERT_TRUE(executor_->Cancel(name).ok());

  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_CANCELLED);
  executor_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

TEST_F(RunExecutorTest, AnEndWithoutAResultIsAFailure) {
  worker_.Does("exit 3");
  Start();

  EXPECT_EQ(AwaitEnd(Create()).failure(), "the worker exited with code 3 before it had a result");
}

TEST_F(RunExecutorTest, AMissingWorkerFailsTheRunWithTheFix) {
  Start();
  options_.worker.program = "/nowhere/millrace-worker";
  executor_.reset();
  executor_ = RunExecutor::Start(*store_, options_).value();

  EXPECT_THAT(AwaitEnd(Create()).failure(), HasSubstr("set `worker`"));
}

TEST_F(RunExecutorTest, RunsAreExecutedOneAfterTheOtherInTheirOrder) {
  worker_.SaysResult();
  Start();

  const std::string first = Create();
  const std::string second = Create();

  EXPECT_EQ(AwaitEnd(second).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(store_->Get(first)->state(), v1::Run::STATE_SUCCEEDED);
}

TEST_F(RunExecutorTest, SeveralWorkersRunAtOnce) {
  worker_.SaysNote("working").GoesOn();
  options_.workers_max = 2;
  Start();

  const std::string first = Create();
  const std::string second = Create();
  AwaitNote(first);
  AwaitNote(second);

  EXPECT_EQ(store_->Get(first)->state(), v1::Run::STATE_RUNNING);
  EXPECT_EQ(store_->Get(second)->state(), v1::Run::STATE_RUNNING);
}

TEST_F(RunExecutorTest, TellsWhatRunsWaitExecuteAndEnd) {
  worker_.AtStart(1).SaysEpoch(1).SaysEpoch(2).Crashes().EndOfStart();
  worker_.AtStart(2)
      .SaysEpoch(1)
      .SaysEpoch(2)
      .SaysEpoch(3)
      .SaysResult()
      .Does("exit 0")
      .EndOfStart();
  worker_.SaysNote("working").GoesOn();
  Start();
  AwaitEnd(Create());
  const std::string executing = Create();
  const std::string waiting = Create();
  AwaitNote(executing);

  EXPECT_THAT(Metrics(),
              AllOf(HasSubstr("millrace_runs_waiting 1"),
                    HasSubstr("millrace_runs_executing 1"),
                    HasSubstr("millrace_run_epochs_total 3"),
                    HasSubstr("millrace_worker_crashes_total 1"),
                    HasSubstr(R"(millrace_runs_ended_total{state="succeeded"} 1)"),
                    HasSubstr(R"(millrace_runs_ended_total{state="failed"} 0)")));

  ASSERT_TRUE(executor_->Cancel(waiting).ok());
  ASSERT_TRUE(executor_->Cancel(executing).ok());
  AwaitEnd(executing);
  executor_.reset();
  EXPECT_THAT(Metrics(),
              AllOf(HasSubstr("millrace_runs_waiting 0"),
                    HasSubstr("millrace_runs_executing 0"),
                    HasSubstr(R"(millrace_runs_ended_total{state="cancelled"} 2)")));
}

TEST_F(RunExecutorTest, ARunningRunIsCancelledThroughItsWorker) {
  worker_.SaysNote("working").GoesOn();
  Start();
  const std::string name = Create();
  AwaitNote(name);

  const auto cancelling = executor_->Cancel(name);

  ASSERT_TRUE(cancelling.ok()) << cancelling.status();
  EXPECT_EQ(cancelling->state(), v1::Run::STATE_CANCELLING);
  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_CANCELLED);
  EXPECT_EQ(store_->Get(name)->failure(), "");
}

TEST_F(RunExecutorTest, CancellingTwiceIsCancellingOnce) {
  worker_.IsDeaf().SaysNote("working").GoesOn();
  options_.worker.grace = std::chrono::milliseconds(50);
  Start();
  const std::string name = Create();
  AwaitNote(name);

  ASSERT_TRUE(executor_->Cancel(name).ok());
  const auto again = executor_->Cancel(name);

  EXPECT_TRUE(again.ok() || absl::IsFailedPrecondition(again.status())) << again.status();
  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_CANCELLED);
}

TEST_F(RunExecutorTest, AWaitingRunIsCancelledAtOnceAndNeverStarts) {
  worker_.SaysNote("working").GoesOn();
  Start();
  const std::string running = Create();
  const std::string waiting = Create();
  AwaitNote(running);

  const auto cancelled = executor_->Cancel(waiting);

  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::Run::STATE_CANCELLED);
  EXPECT_EQ(EventsOf(waiting).size(), 2U);
}

TEST_F(RunExecutorTest, AnEndedOrUnknownRunCannotBeCancelled) {
  worker_.SaysResult();
  Start();
  const std::string name = Create();
  AwaitEnd(name);

  EXPECT_THAT(executor_->Cancel(name),
              Fails(absl::StatusCode::kFailedPrecondition, "has already succeeded"));
  EXPECT_THAT(executor_->Cancel("runs/r9"),
              Fails(absl::StatusCode::kNotFound, "there is no runs/r9"));
}

TEST_F(RunExecutorTest, AFullQueueRefusesAndTakesAgainWhenARunHasEnded) {
  worker_.SaysNote("working").GoesOn();
  options_.runs_max = 1;
  Start();
  const std::string running = Create("first");
  const std::string waiting = Create();

  EXPECT_THAT(executor_->Create(v1::Run(), ""),
              Fails(absl::StatusCode::kResourceExhausted, "2 runs have not ended"));
  EXPECT_EQ(executor_->Create(v1::Run(), "first")->name(), running);

  ASSERT_TRUE(executor_->Cancel(running).ok());
  AwaitNote(waiting);
  Create();
}

TEST_F(RunExecutorTest, ARequestThatIsMadeAgainGetsItsFirstRun) {
  worker_.SaysResult();
  Start();
  const std::string name = Create("same");
  AwaitEnd(name);

  EXPECT_EQ(Create("same"), name);
  EXPECT_NE(Create("other"), name);
}

TEST_F(RunExecutorTest, StoppingLeavesEveryRunForTheNextStart) {
  worker_.AtStart(1).SaysNote("working").GoesOn().EndOfStart().SaysEpoch(1).SaysResult();
  Start();
  const std::string running = Create();
  const std::string waiting = Create();
  AwaitNote(running);

  executor_->Stop();

  EXPECT_EQ(store_->Get(running)->state(), v1::Run::STATE_RUNNING);
  EXPECT_EQ(store_->Get(waiting)->state(), v1::Run::STATE_QUEUED);
  EXPECT_TRUE(std::filesystem::exists(options_.folder + "/1"));
  EXPECT_THAT(executor_->Create(v1::Run(), ""), Fails(absl::StatusCode::kUnavailable, "stopping"));

  Start();
  EXPECT_EQ(AwaitEnd(waiting).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(store_->Get(running)->state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_THAT(NotesOf(running),
              ElementsAre("working", "the training service was restarted, and the run goes on"));
}

TEST_F(RunExecutorTest, AFailureOfItsOwnIsOneWhileTheServiceStopsToo) {
  v1::WorkerReport failure;
  failure.mutable_failure()->set_code(3);
  failure.mutable_failure()->set_message("a label is damaged");
  const std::string path = folder_.path() + "/failure";
  std::ofstream stream(path, std::ios::binary);
  google::protobuf::util::SerializeDelimitedToOstream(failure, &stream);
  stream.close();
  // In short steps: a shell that begins to wait may miss the signal, and so may its new child.
  worker_.Does("trap \"cat '" + path + "'; exit 0\" TERM").SaysNote("working");
  worker_.Does("while :; do sleep 0.01; done");
  Start();
  const std::string name = Create();
  AwaitNote(name);

  executor_->Stop();

  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_FAILED);
  EXPECT_EQ(store_->Get(name)->failure(), "a label is damaged");
}

TEST_F(RunExecutorTest, AStartTakesUpWhatAnEarlierServiceLeft) {
  std::vector<std::string> names;
  for (int i = 0; i < 4; ++i) {
    names.push_back(store_->Add(v1::Run(), "")->name());
    std::filesystem::create_directories(options_.folder + "/" + std::to_string(i + 1));
  }
  ASSERT_TRUE(store_->Move(names[0], v1::Run::STATE_CANCELLED).ok());
  ASSERT_TRUE(store_->Move(names[1], v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE(store_->Move(names[1], v1::Run::STATE_CANCELLING).ok());
  ASSERT_TRUE(store_->Move(names[3], v1::Run::STATE_RUNNING).ok());
  worker_.SaysResult();

  Start();

  EXPECT_EQ(store_->Get(names[1])->state(), v1::Run::STATE_CANCELLED);
  // The running one goes first.
  EXPECT_EQ(AwaitEnd(names[2]).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(store_->Get(names[3])->state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_THAT(NotesOf(names[3]), ElementsAre(HasSubstr("service was restarted")));
  executor_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

// Two were running, and only one may be now.
TEST_F(RunExecutorTest, ARunThatIsTakenUpAndStillWaitsCanBeCancelled) {
  std::vector<std::string> names;
  for (int i = 0; i < 2; ++i) {
    names.push_back(store_->Add(v1::Run(), "")->name());
    ASSERT_TRUE(store_->Move(names.back(), v1::Run::STATE_RUNNING).ok());
  }
  worker_.SaysNote("working").GoesOn();
  Start();
  Await(names[0], [&] { return NotesOf(names[0]).size() == 2; });

  const auto cancelled = executor_->Cancel(names[1]);

  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::Run::STATE_CANCELLED);
}

TEST_F(RunExecutorTest, AWorkerIsToldEverythingThatItNeeds) {
  const std::string path = folder_.path() + "/task";
  worker_.Does("dd bs=65536 count=1 of='" + path + "' 2>/dev/null");
  worker_.SaysEpoch(1).SaysEpoch(2).AtStart(1).Crashes().EndOfStart().SaysResult();
  options_.checkpoint_seconds = 7;
  options_.tls.set_authority("/etc/authority.pem");
  options_.token_file = "/etc/token";
  Start();

  const std::string name = Create("request-5");
  const v1::Run run = AwaitEnd(name);

  std::ifstream stream(path, std::ios::binary);
  google::protobuf::io::IstreamInputStream input(&stream);
  v1::WorkerTask task;
  ASSERT_TRUE(google::protobuf::util::ParseDelimitedFromZeroCopyStream(&task, &input, nullptr));
  EXPECT_EQ(task.run(), name);
  EXPECT_EQ(task.dataset_version(), "datasets/points/versions/1");
  EXPECT_EQ(task.folder(), options_.folder + "/1");
  EXPECT_EQ(task.checkpoint_seconds(), 7);
  EXPECT_EQ(task.tls().authority(), "/etc/authority.pem");
  EXPECT_EQ(task.token_file(), "/etc/token");
  EXPECT_EQ(task.request_id(), "request-5");
  EXPECT_EQ(task.epochs_done(), 2);  // at the second start
  EXPECT_EQ(task.create_time().seconds(), run.create_time().seconds());
}

TEST_F(RunExecutorTest, WhatAWorkerWaitsForIsToldOnceAndPasses) {
  const std::string go = folder_.path() + "/go";
  worker_.SaysWaiting("").SaysWaiting("the data service does not answer");
  worker_.SaysWaiting("the data service does not answer").SaysNote("waits").Awaits(go);
  worker_.SaysWaiting("").SaysResult();
  Start();
  const std::string name = Create();
  AwaitNote(name);
  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_WAITING);
  EXPECT_EQ(store_->Get(name)->reason(), "the data service does not answer");

  std::ofstream(go).close();

  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_THAT(StatesOf(name),
              ElementsAre(v1::Run::STATE_QUEUED,
                          v1::Run::STATE_RUNNING,
                          v1::Run::STATE_WAITING,
                          v1::Run::STATE_RUNNING,
                          v1::Run::STATE_PUBLISHING,
                          v1::Run::STATE_SUCCEEDED));
}

// The first one gives way at its first start, and is started again behind the second.
TEST_F(RunExecutorTest, ARunThatGivesWayGoesBehindTheNextAndKeepsItsFolder) {
  const std::string go = folder_.path() + "/go";
  worker_.AtStart(1).Awaits(go).SaysWaiting("away").Does("touch '" + options_.folder + "/1/kept'");
  worker_.GivesWay("away").EndOfStart();
  worker_.AtStart(3).Does("test -e '" + options_.folder + "/1/kept' || exit 9").EndOfStart();
  worker_.SaysWaiting("").SaysResult();
  Start();
  const std::string first = Create();
  const std::string second = Create();
  std::ofstream(go).close();

  EXPECT_EQ(AwaitEnd(first).state(), v1::Run::STATE_SUCCEEDED) << store_->Get(first)->failure();

  EXPECT_EQ(store_->Get(second)->state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(LinesOf(worker_.starts()), 3);
  EXPECT_THAT(StatesOf(first),
              ElementsAre(v1::Run::STATE_QUEUED,
                          v1::Run::STATE_RUNNING,
                          v1::Run::STATE_WAITING,
                          v1::Run::STATE_RUNNING,
                          v1::Run::STATE_PUBLISHING,
                          v1::Run::STATE_SUCCEEDED));
}

TEST_F(RunExecutorTest, AWaitingRunIsCancelledWithItsWorkerAndInTheQueue) {
  const std::string go = folder_.path() + "/go";
  worker_.AtStart(1).SaysWaiting("away").SaysNote("waits").GoesOn().EndOfStart();
  worker_.AtStart(2).Awaits(go).GivesWay("away").EndOfStart();
  worker_.SaysNote("works").GoesOn();
  Start();
  const std::string first = Create();
  AwaitNote(first);

  EXPECT_EQ(executor_->Cancel(first)->state(), v1::Run::STATE_CANCELLING);
  EXPECT_EQ(AwaitEnd(first).state(), v1::Run::STATE_CANCELLED);

  const std::string second = Create();
  const std::string third = Create();
  std::ofstream(go).close();
  AwaitNote(third);  // the second has given way to it
  EXPECT_EQ(store_->Get(second)->state(), v1::Run::STATE_WAITING);
  EXPECT_EQ(executor_->Cancel(second)->state(), v1::Run::STATE_CANCELLED);
}

TEST_F(RunExecutorTest, AWaitingRunIsTakenUpByTheNextStart) {
  worker_.AtStart(1).SaysWaiting("away").SaysNote("waits").GoesOn().EndOfStart();
  worker_.SaysWaiting("").SaysResult();
  Start();
  const std::string name = Create();
  AwaitNote(name);
  executor_->Stop();
  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_WAITING);

  Start();

  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_SUCCEEDED);
}

TEST_F(RunExecutorTest, AFullDiskHoldsARunAndLosesNothing) {
  const std::string go = folder_.path() + "/go";
  worker_.SaysNote("working").Awaits(go).SaysEpoch(1).SaysEpoch(2).SaysResult();
  Start();
  const std::string name = Create();
  AwaitNote(name);
  {
    const FullDisk full;
    std::ofstream(go).close();
    AwaitMetric("millrace_runs_blocked 1");
    EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_RUNNING);
  }

  const v1::Run run = AwaitEnd(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_SUCCEEDED) << run.failure();
  EXPECT_EQ(run.epochs_done(), 2);
  EXPECT_THAT(Metrics(), HasSubstr("millrace_runs_blocked 0"));
}

TEST_F(RunExecutorTest, ARunThatCannotBeginOnAFullDiskBeginsLater) {
  const std::string name = store_->Add(v1::Run(), "")->name();
  std::filesystem::create_directories(options_.folder);
  worker_.SaysResult();
  options_.worker.program = worker_.Program();
  {
    const FullDisk full;
    Start(options_.worker.program);
    AwaitMetric("millrace_runs_blocked 1");
    EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_QUEUED);
  }

  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_SUCCEEDED);
}

TEST_F(RunExecutorTest, AStopDoesNotWaitForAFullDisk) {
  const std::string go = folder_.path() + "/go";
  worker_.AtStart(1).SaysNote("working").Awaits(go).SaysEpoch(1).GoesOn().EndOfStart();
  worker_.SaysEpoch(1).SaysResult();
  options_.store_waits = {.first = std::chrono::hours(1), .longest = std::chrono::hours(1)};
  Start();
  const std::string name = Create();
  AwaitNote(name);
  {
    const FullDisk full;
    std::ofstream(go).close();
    AwaitMetric("millrace_runs_blocked 1");
    executor_->Stop();
  }
  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_RUNNING);

  Start();
  EXPECT_EQ(AwaitEnd(name).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(store_->Get(name)->epochs_done(), 1);
}

}  // namespace
}  // namespace millrace::training
