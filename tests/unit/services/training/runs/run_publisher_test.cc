#include "services/training/runs/run_publisher.h"

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "common/status/status.h"
#include "services/training/runs/run_state.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/fixed_clock.h"
#include "tests/unit/services/training/runs/full_disk.h"
#include "tests/unit/services/training/runs/run_executor_fixture.h"
#include "tests/unit/services/training/runs/waiter.h"

namespace millrace::training {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

// A serving service that a test lets answer.
class Serving {
 public:
  /// What attempts of a run end with, one after the other; then its version.
  void Refuse(const std::string& run, std::vector<absl::Status> refusals) {
    const std::lock_guard lock(mutex_);
    refusals_[run] = std::move(refusals);
  }

  absl::StatusOr<std::string> Take(const TrainedRun& trained) {
    const std::lock_guard lock(mutex_);
    taken_.push_back(trained.run.name());
    folders_.push_back(trained.folder);
    upload_ids_.push_back(trained.upload_id);
    std::vector<absl::Status>& refusals = refusals_[trained.run.name()];
    if (refusals.empty()) {
      return "models/points/versions/4";
    }
    const absl::Status refusal = refusals.front();
    if (refusals.size() > 1 || !repeats_last) {
      refusals.erase(refusals.begin());
    }
    return refusal;
  }

  std::vector<std::string> taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }

  std::vector<std::string> upload_ids() {
    const std::lock_guard lock(mutex_);
    return upload_ids_;
  }

  std::vector<std::string> folders() {
    const std::lock_guard lock(mutex_);
    return folders_;
  }

  bool repeats_last = false;

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<absl::Status>> refusals_;  // guarded by mutex_
  std::vector<std::string> taken_;                             // guarded by mutex_
  std::vector<std::string> folders_;                           // guarded by mutex_
  std::vector<std::string> upload_ids_;                        // guarded by mutex_
};

class RunPublisherTest : public testing::Test {
 protected:
  RunPublisherTest() {
    options_.folder = folder_.path() + "/runs";
    options_.waits = {.first = milliseconds(1), .longest = milliseconds(4)};
    options_.send = [this](const TrainedRun& trained, const std::stop_token& /*stop*/) {
      return serving_.Take(trained);
    };
  }

  void Start() { publisher_ = RunPublisher::Start(*store_, metrics_, options_).value(); }

  std::string Trained() {
    std::string name = store_->Add(v1::Run(), "")->name();
    EXPECT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
    EXPECT_TRUE(store_->Move(name, v1::Run::STATE_PUBLISHING).ok());
    std::filesystem::create_directories(options_.folder + "/" +
                                        std::to_string(*store_->NumberOf(name)));
    return name;
  }

  v1::Run Await(const std::string& name, const std::function<bool(const v1::Run&)>& condition) {
    const auto waiter = std::make_shared<Waiter>();
    store_->Listen(name, waiter);
    waiter->Until([&] { return condition(*store_->Get(name)); });
    return *store_->Get(name);
  }

  v1::Run AwaitRest(const std::string& name) {
    return Await(name, [](const v1::Run& run) { return IsAtRest(run.state()); });
  }

  std::vector<std::string> ReasonsOf(const std::string& name) {
    std::vector<std::string> reasons;
    const std::vector<v1::RunEvent> events = store_->Events(name, 0, 100).value();
    for (const v1::RunEvent& event : events) {
      if (event.run().state() == v1::Run::STATE_PUBLISHING) {
        reasons.push_back(event.run().reason());
      }
    }
    return reasons;
  }

  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

  FixedClock clock_;
  storage::TemporaryFolder folder_;
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  RunMetrics metrics_{registry_};
  std::unique_ptr<RunStore> store_ = RunStore::Open(folder_.path() + "/runs.db", clock_).value();
  Serving serving_;
  PublisherOptions options_;
  std::unique_ptr<RunPublisher> publisher_;
};

TEST_F(RunPublisherTest, ARunThatServingTakesHasItsVersionAndLeavesNoFolder) {
  const std::string name = Trained();
  Start();

  const v1::Run run = AwaitRest(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(run.model_version(), "models/points/versions/4");
  EXPECT_THAT(serving_.folders(), ElementsAre(options_.folder + "/1"));
  publisher_->Stop();
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
  EXPECT_THAT(Metrics(), HasSubstr(R"(millrace_runs_ended_total{state="succeeded"} 1)"));
}

TEST_F(RunPublisherTest, WhatCanMendItselfIsTriedAgainAndToldWhenItChanges) {
  const std::string name = Trained();
  serving_.Refuse(name,
                  {Unavailable("refused"),
                   absl::DeadlineExceededError("late"),
                   Cancelled("stopping"),
                   ResourceExhausted("64 uploads are unfinished"),
                   ResourceExhausted("64 uploads are unfinished"),
                   absl::AbortedError("again"),
                   absl::UnauthenticatedError("no token"),
                   absl::PermissionDeniedError("needs writer")});
  Start();

  EXPECT_EQ(AwaitRest(name).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_THAT(ReasonsOf(name),
              ElementsAre("",
                          "the serving service does not answer",
                          "the serving service says: 64 uploads are unfinished",
                          "the serving service says: again",
                          "the serving service says: no token",
                          "the serving service says: needs writer"));
}

TEST_F(RunPublisherTest, AllAttemptsOfARunAreOneUploadAndThoseOfAnotherAreAnother) {
  const std::string name = Trained();
  serving_.Refuse(name, {ResourceExhausted("no memory"), ResourceExhausted("no memory")});
  Start();
  AwaitRest(name);
  const std::string other = Trained();
  publisher_->Add(other);
  AwaitRest(other);

  const std::vector<std::string> ids = serving_.upload_ids();

  ASSERT_EQ(ids.size(), 4U);
  EXPECT_EQ(ids[0].size(), 32U);
  EXPECT_EQ(ids[1], ids[0]);
  EXPECT_EQ(ids[2], ids[0]);
  EXPECT_NE(ids[3], ids[0]);
}

TEST_F(RunPublisherTest, ARefusalLetsTheRunRestWithTheReasonAndTheBundle) {
  const std::string name = Trained();
  serving_.Refuse(name, {WithFix(FailedPrecondition("the label is another"), "rename the model")});
  Start();

  const v1::Run run = AwaitRest(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_UNPUBLISHED);
  EXPECT_EQ(run.reason(), "the label is another; rename the model");
  EXPECT_FALSE(run.has_end_time());
  publisher_->Stop();
  EXPECT_TRUE(std::filesystem::exists(options_.folder + "/1"));
}

TEST_F(RunPublisherTest, TheWaitOfOneRunHoldsNoOther) {
  options_.waits = {.first = hours(1), .longest = hours(1)};
  const std::string waiting = Trained();
  serving_.Refuse(waiting, {Unavailable("refused")});
  Start();
  Await(waiting, [](const v1::Run& run) { return !run.reason().empty(); });
  const std::string other = Trained();
  publisher_->Add(other);

  EXPECT_EQ(AwaitRest(other).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(store_->Get(waiting)->state(), v1::Run::STATE_PUBLISHING);
}

TEST_F(RunPublisherTest, ARunThatWaitsIsTriedAtOnceWhenSomebodyAsks) {
  options_.waits = {.first = hours(1), .longest = hours(1)};
  const std::string name = Trained();
  serving_.Refuse(name, {Unavailable("refused")});
  Start();
  Await(name, [](const v1::Run& run) { return !run.reason().empty(); });

  ASSERT_TRUE(publisher_->Publish(name).ok());

  EXPECT_EQ(AwaitRest(name).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_THAT(publisher_->Publish(name),
              Fails(absl::StatusCode::kFailedPrecondition, "nothing to publish"));
}

TEST_F(RunPublisherTest, WhenItsTimeIsOverItRestsAndCanBePublishedLater) {
  options_.limit = milliseconds(20);
  serving_.repeats_last = true;
  const std::string name = Trained();
  serving_.Refuse(name, {Unavailable("refused")});
  Start();

  const v1::Run run = AwaitRest(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_UNPUBLISHED);
  EXPECT_EQ(run.reason(), "it was tried for 1 seconds: the serving service does not answer");
  serving_.Refuse(name, {});
  EXPECT_EQ(publisher_->Publish(name)->state(), v1::Run::STATE_PUBLISHING);
  EXPECT_EQ(
      Await(name, [](const v1::Run& later) { return later.state() == v1::Run::STATE_SUCCEEDED; })
          .model_version(),
      "models/points/versions/4");
}

TEST_F(RunPublisherTest, ACancelledOneRestsAndItsLateAnswerIsPassedOver) {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool is_sending = false;
  options_.send = [&](const TrainedRun& /*trained*/,
                      const std::stop_token& stop) -> absl::StatusOr<std::string> {
    std::unique_lock lock(mutex);
    is_sending = true;
    changed.notify_all();
    changed.wait(lock, stop, [] { return false; });
    return "models/points/versions/9";
  };
  const std::string name = Trained();
  Start();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return is_sending; });
  }

  const auto cancelled = publisher_->Cancel(name);

  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::Run::STATE_UNPUBLISHED);
  publisher_->Stop();
  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_UNPUBLISHED);
  EXPECT_TRUE(std::filesystem::exists(options_.folder + "/1"));
  EXPECT_THAT(publisher_->Cancel(name),
              Fails(absl::StatusCode::kFailedPrecondition, "cannot become unpublished"));
}

TEST_F(RunPublisherTest, AStopLeavesEverythingForTheNextStart) {
  options_.waits = {.first = hours(1), .longest = hours(1)};
  const std::string name = Trained();
  serving_.Refuse(name, {Unavailable("refused")});
  Start();
  Await(name, [](const v1::Run& run) { return !run.reason().empty(); });

  publisher_->Stop();

  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_PUBLISHING);
  Start();
  EXPECT_EQ(AwaitRest(name).state(), v1::Run::STATE_SUCCEEDED);
}

// Serving is not asked once more for what it has said.
TEST_F(RunPublisherTest, AnEndThatCannotBeStoredIsStoredWhenTheDiskHasRoom) {
  std::optional<FullDisk> full;
  options_.send = [&](const TrainedRun& trained, const std::stop_token& /*stop*/) {
    full.emplace();
    return serving_.Take(trained);
  };
  const std::string name = Trained();
  Start();
  while (Metrics().find("millrace_runs_blocked 1") == std::string::npos) {
    std::this_thread::yield();
  }
  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_PUBLISHING);

  full.reset();

  EXPECT_EQ(AwaitRest(name).state(), v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(serving_.taken().size(), 1U);
  publisher_->Stop();
  EXPECT_THAT(Metrics(), HasSubstr("millrace_runs_blocked 0"));
}

TEST_F(RunExecutorTest, AResultThatIsKeptBackRestsWithItsFiguresAndItsFolder) {
  worker_.SaysResultKeptBack("on validation its loss 0.71 is worse");
  Start();

  const std::string name = Create();
  const v1::Run run = AwaitEnd(name);

  EXPECT_EQ(run.state(), v1::Run::STATE_UNPUBLISHED);
  EXPECT_EQ(run.reason(), "on validation its loss 0.71 is worse");
  EXPECT_EQ(run.weights_sha256(), "ab");
  EXPECT_TRUE(std::filesystem::exists(options_.folder + "/1"));
  EXPECT_THAT(executor_->Cancel(name),
              Fails(absl::StatusCode::kFailedPrecondition, "is unpublished"));

  ASSERT_TRUE(executor_->Publish(name).ok());
  Await(name, [&] { return store_->Get(name)->state() == v1::Run::STATE_SUCCEEDED; });
}

TEST_F(RunExecutorTest, ARunThatIsPublishedTakesNoWorker) {
  published_ = Unavailable("refused");
  options_.publisher.waits = {.first = std::chrono::hours(1), .longest = std::chrono::hours(1)};
  worker_.SaysResult();
  Start();

  const std::string first = Create();
  const std::string second = Create();
  Await(second, [&] { return store_->Get(second)->state() == v1::Run::STATE_PUBLISHING; });

  EXPECT_EQ(store_->Get(first)->state(), v1::Run::STATE_PUBLISHING);
  AwaitMetric("millrace_runs_executing 0");
  EXPECT_EQ(executor_->Cancel(first)->state(), v1::Run::STATE_UNPUBLISHED);
}

}  // namespace
}  // namespace millrace::training
