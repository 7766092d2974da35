#include "services/training/runs/run_executor.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "common/status/status.h"
#include "services/training/runs/run_state.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/fixed_clock.h"
#include "tests/unit/services/training/runs/scripted_worker.h"

namespace millrace::training {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using v1::RunEvent;

// Blocks until a run is as a test wants it.
class Waiter final : public RunListener {
 public:
  void RunChanged() override {
    const std::lock_guard lock(mutex_);
    ++changes_;
    changed_.notify_all();
  }

  void Until(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    while (true) {
      const int seen = changes_;
      lock.unlock();
      if (condition()) {
        return;
      }
      lock.lock();
      changed_.wait(lock, [&] { return changes_ != seen; });
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int changes_ = 0;  // guarded by mutex_
};

class RunExecutorTest : public testing::Test {
 protected:
  RunExecutorTest() : store_(RunStore::Open(":memory:", clock_).value()) {
    options_.folder = folder_.path() + "/runs";
    options_.worker.grace = std::chrono::minutes(10);
  }

  ~RunExecutorTest() override {
    executor_.reset();
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }

  void Start() {
    options_.worker.program = worker_.Program();
    auto executor = RunExecutor::Start(*store_, options_);
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
  }

  std::string Create(const std::string& request_id = "") {
    v1::Run run;
    run.set_dataset_version("datasets/points/versions/1");
    run.set_model("models/points");
    const auto created = executor_->Create(run, request_id);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->name() : "";
  }

  void Await(const std::string& name, const std::function<bool()>& condition) {
    const auto waiter = std::make_shared<Waiter>();
    store_->Listen(name, waiter);
    waiter->Until(condition);
  }

  v1::Run AwaitEnd(const std::string& name) {
    Await(name, [&] { return IsTerminal(store_->Get(name)->state()); });
    return *store_->Get(name);
  }

  std::vector<RunEvent> EventsOf(const std::string& name) {
    return store_->Events(name, 0, 100).value();
  }

  void AwaitNote(const std::string& name) {
    Await(name, [&] {
      const std::vector<RunEvent> events = EventsOf(name);
      return std::any_of(
          events.begin(), events.end(), [](const RunEvent& event) { return event.has_note(); });
    });
  }

  FixedClock clock_;
  storage::TemporaryFolder folder_;
  ScriptedWorker worker_;
  ExecutorOptions options_;
  std::unique_ptr<RunStore> store_;
  std::unique_ptr<RunExecutor> executor_;
};

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
                          RunEvent::kRun));
}

TEST_F(RunExecutorTest, TheRunsFolderIsThereForItsWorkerAndGoneAfterwards) {
  worker_.Does("test -d '" + options_.folder + "/1' || exit 9").SaysResult();
  Start();

  EXPECT_EQ(AwaitEnd(Create()).state(), v1::Run::STATE_SUCCEEDED);
  executor_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
}

TEST_F(RunExecutorTest, AFailureIsTheWorkersOwnWords) {
  worker_.SaysEpoch(1).SaysFailure("serving refused the bundle");
  Start();

  const v1::Run run = AwaitEnd(Create());

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_EQ(run.failure(), "serving refused the bundle");
  EXPECT_EQ(run.epochs_done(), 1);
}

TEST_F(RunExecutorTest, ACrashIsToldByHowTheProcessEnded) {
  worker_.SaysEpoch(1).Does("kill -SEGV $$");
  Start();

  const v1::Run run = AwaitEnd(Create());

  EXPECT_EQ(run.state(), v1::Run::STATE_FAILED);
  EXPECT_THAT(run.failure(), HasSubstr("killed by signal 11"));
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
  Create();

  EXPECT_THAT(executor_->Create(v1::Run(), ""),
              Fails(absl::StatusCode::kResourceExhausted, "2 runs have not ended"));
  EXPECT_EQ(executor_->Create(v1::Run(), "first")->name(), running);

  ASSERT_TRUE(executor_->Cancel(running).ok());
  AwaitEnd(running);
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

TEST_F(RunExecutorTest, StoppingFailsRunningRunsAndLeavesTheOthersQueued) {
  worker_.SaysNote("working").GoesOn();
  Start();
  const std::string running = Create();
  const std::string waiting = Create();
  AwaitNote(running);

  executor_->Stop();

  EXPECT_EQ(store_->Get(running)->state(), v1::Run::STATE_FAILED);
  EXPECT_THAT(store_->Get(running)->failure(), HasSubstr("training service was stopped"));
  EXPECT_EQ(store_->Get(waiting)->state(), v1::Run::STATE_QUEUED);
  EXPECT_THAT(executor_->Create(v1::Run(), ""), Fails(absl::StatusCode::kUnavailable, "stopping"));
}

TEST_F(RunExecutorTest, AStartTakesUpWhatAnEarlierServiceLeft) {
  std::vector<std::string> names;
  for (int i = 0; i < 4; ++i) {
    names.push_back(store_->Add(v1::Run(), "")->name());
  }
  ASSERT_TRUE(store_->Move(names[0], v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE(store_->Move(names[1], v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE(store_->Move(names[1], v1::Run::STATE_CANCELLING).ok());
  worker_.SaysResult();

  Start();

  EXPECT_EQ(store_->Get(names[0])->state(), v1::Run::STATE_FAILED);
  EXPECT_THAT(store_->Get(names[0])->failure(), HasSubstr("training service was restarted"));
  EXPECT_EQ(store_->Get(names[1])->state(), v1::Run::STATE_CANCELLED);
  EXPECT_EQ(AwaitEnd(names[3]).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(store_->Get(names[2])->state(), v1::Run::STATE_SUCCEEDED);
}

}  // namespace
}  // namespace millrace::training
