#include "services/training/runs/run_store.h"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/fixed_clock.h"

namespace millrace::training {
namespace {

using testing::ElementsAre;
using testing::StartsWith;
using v1::RunEvent;

class RunStoreTest : public testing::Test {
 protected:
  RunStoreTest() : store_(RunStore::Open(":memory:", clock_).value()) {}

  std::string Add(const std::string& request_id = "") {
    v1::Run run;
    run.set_model("models/points");
    const auto added = store_->Add(run, request_id);
    EXPECT_TRUE(added.ok()) << added.status();
    return added->name();
  }

  static RunEvent Epoch(int epoch) {
    RunEvent event;
    event.mutable_epoch()->set_epoch(epoch);
    return event;
  }

  static RunEvent Note(const std::string& text) {
    RunEvent event;
    event.set_note(text);
    return event;
  }

  FixedClock clock_;
  std::unique_ptr<RunStore> store_;
};

TEST_F(RunStoreTest, AnAddedRunIsQueuedNamedAndTimed) {
  const std::string name = Add();

  const auto run = store_->Get(name);

  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_THAT(name, StartsWith("runs/r1-"));
  EXPECT_EQ(run->state(), v1::Run::STATE_QUEUED);
  EXPECT_EQ(run->model(), "models/points");
  EXPECT_EQ(run->create_time().seconds(), 1'700'000'000);
  EXPECT_EQ(*store_->NumberOf(name), 1);
}

TEST_F(RunStoreTest, EventsCountFromOneWithoutGaps) {
  const std::string name = Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE(store_->Append(name, {Note("fetched"), Epoch(1), Epoch(2)}).ok());
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_FAILED).ok());

  const auto events = store_->Events(name, 0, 100);

  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 6U);
  for (std::size_t i = 0; i < events->size(); ++i) {
    EXPECT_EQ((*events)[i].sequence(), static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ((*events)[i].time().seconds(), 1'700'000'000);
  }
  EXPECT_EQ((*events)[0].run().state(), v1::Run::STATE_QUEUED);
  EXPECT_EQ((*events)[1].run().state(), v1::Run::STATE_RUNNING);
  EXPECT_EQ((*events)[2].note(), "fetched");
  EXPECT_EQ((*events)[4].epoch().epoch(), 2);
  EXPECT_EQ((*events)[5].run().epochs_done(), 2);
  EXPECT_EQ((*events)[5].run().end_time().seconds(), 1'700'000'000);
}

TEST_F(RunStoreTest, EventsAreReadFromAnySequenceInPortions) {
  const std::string name = Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE(store_->Append(name, {Epoch(1), Epoch(2), Epoch(3)}).ok());

  const auto events = store_->Events(name, 2, 2);

  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ((*events)[0].epoch().epoch(), 1);
  EXPECT_EQ((*events)[1].sequence(), 4);
  EXPECT_TRUE(store_->Events(name, 5, 10)->empty());
}

TEST_F(RunStoreTest, AnEpochThatIsThereIsPassedOver) {
  const std::string name = Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE(store_->Append(name, {Epoch(1), Epoch(2)}).ok());

  ASSERT_TRUE(store_->Append(name, {Note("again"), Epoch(1), Epoch(2), Epoch(3), Epoch(3)}).ok());

  const auto events = store_->Events(name, 4, 10);
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ((*events)[0].note(), "again");
  EXPECT_EQ((*events)[1].epoch().epoch(), 3);
  EXPECT_EQ((*events)[1].sequence(), 6);
  EXPECT_EQ(store_->Get(name)->epochs_done(), 3);
}

TEST_F(RunStoreTest, AMoveFillsInWhatItIsTold) {
  const std::string name = Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());

  const auto moved = store_->Move(
      name, v1::Run::STATE_FAILED, [](v1::Run& run) { run.set_failure("the disk is full"); });

  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(store_->Get(name)->failure(), "the disk is full");
}

TEST_F(RunStoreTest, AnIllegalMoveChangesNothing) {
  const std::string name = Add();

  EXPECT_THAT(
      store_->Move(name, v1::Run::STATE_SUCCEEDED, [](v1::Run& run) { run.set_failure("no"); }),
      Fails(absl::StatusCode::kFailedPrecondition, "cannot become succeeded"));

  EXPECT_EQ(store_->Get(name)->state(), v1::Run::STATE_QUEUED);
  EXPECT_EQ(store_->Get(name)->failure(), "");
  EXPECT_EQ(store_->Events(name, 0, 100)->size(), 1U);
}

TEST_F(RunStoreTest, ARunThatHasEndedTakesNoMoreEvents) {
  const std::string name = Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_CANCELLED).ok());

  EXPECT_THAT(store_->Append(name, {Note("late")}),
              Fails(absl::StatusCode::kFailedPrecondition, "takes no more events"));
}

TEST_F(RunStoreTest, AnUnknownRunIsNotFound) {
  EXPECT_THAT(store_->Get("runs/r9"), Fails(absl::StatusCode::kNotFound, "there is no runs/r9"));
  EXPECT_THAT(store_->Move("runs/r9", v1::Run::STATE_RUNNING),
              Fails(absl::StatusCode::kNotFound, "there is no runs/r9"));
  EXPECT_THAT(store_->Append("runs/r9", {Note("x")}),
              Fails(absl::StatusCode::kNotFound, "there is no runs/r9"));
}

TEST_F(RunStoreTest, ARequestIdBelongsToOneRun) {
  const std::string name = Add("once");

  EXPECT_THAT(store_->Add(v1::Run(), "once"),
              Fails(absl::StatusCode::kAlreadyExists, "request_id"));
  EXPECT_EQ((*store_->FindByRequest("once"))->name(), name);
  EXPECT_FALSE(store_->FindByRequest("twice")->has_value());
  EXPECT_EQ(*store_->RequestOf(name), "once");
  EXPECT_EQ(*store_->RequestOf(Add()), "");
  EXPECT_NE(Add(), Add());
}

TEST_F(RunStoreTest, PagesGoFromTheNewestToTheOldest) {
  const std::string first = Add();
  const std::string second = Add();
  const std::string third = Add();

  const auto page = store_->List(2, "");
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->runs.size(), 2U);
  EXPECT_EQ(page->runs[0].name(), third);
  EXPECT_EQ(page->runs[1].name(), second);

  const auto last = store_->List(2, page->next_page_token);
  ASSERT_TRUE(last.ok()) << last.status();
  ASSERT_EQ(last->runs.size(), 1U);
  EXPECT_EQ(last->runs[0].name(), first);
  EXPECT_EQ(last->next_page_token, "");
}

TEST_F(RunStoreTest, APageOfLargeRunsEndsAtAMebibyte) {
  for (int i = 0; i < 5; ++i) {
    v1::Run run;
    run.set_failure(std::string(400'000, 'x'));
    ASSERT_TRUE(store_->Add(run, "").ok());
  }
  std::string token;
  std::vector<std::size_t> sizes;
  do {
    const auto page = store_->List(1'000, token);
    ASSERT_TRUE(page.ok()) << page.status();
    sizes.push_back(page->runs.size());
    token = page->next_page_token;
  } while (!token.empty());

  EXPECT_THAT(sizes, testing::ElementsAre(2, 2, 1));
}

TEST_F(RunStoreTest, APageThatIsExactlyFullIsTheLast) {
  Add();
  Add();

  EXPECT_EQ(store_->List(2, "")->next_page_token, "");
}

TEST_F(RunStoreTest, ATokenThatNoPageGaveIsRefused) {
  for (const char* token : {"x", "-1", "0", "1x", "99999999999999999999"}) {
    EXPECT_THAT(store_->List(2, token), Fails(absl::StatusCode::kInvalidArgument, "page_token"))
        << token;
  }
}

// Counts what it hears.
class CountingListener final : public RunListener {
 public:
  void RunChanged() override { ++count; }

  int count = 0;
};

TEST_F(RunStoreTest, AListenerHearsOfItsOwnRunUntilItIsGone) {
  const std::string name = Add();
  const std::string other = Add();
  auto listener = std::make_shared<CountingListener>();
  store_->Listen(name, listener);

  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE(store_->Append(name, {Note("a"), Note("b")}).ok());
  ASSERT_TRUE(store_->Move(other, v1::Run::STATE_RUNNING).ok());
  EXPECT_FALSE(store_->Move(name, v1::Run::STATE_QUEUED).ok());
  EXPECT_EQ(listener->count, 2);

  listener.reset();
  EXPECT_TRUE(store_->Move(name, v1::Run::STATE_FAILED).ok());
}

TEST_F(RunStoreTest, EverythingIsThereAfterARestart) {
  const storage::TemporaryFolder folder;
  const std::string path = folder.path() + "/runs.db";
  auto store = RunStore::Open(path, clock_);
  ASSERT_TRUE(store.ok()) << store.status();
  const std::string name = (*store)->Add(v1::Run(), "once")->name();
  ASSERT_TRUE((*store)->Move(name, v1::Run::STATE_RUNNING).ok());
  ASSERT_TRUE((*store)->Append(name, {Epoch(1)}).ok());
  store->reset();

  store = RunStore::Open(path, clock_);

  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Get(name)->epochs_done(), 1);
  EXPECT_EQ((*store)->Events(name, 0, 100)->size(), 3U);
  EXPECT_TRUE((*store)->FindByRequest("once")->has_value());
  const auto running = (*store)->InState(v1::Run::STATE_RUNNING);
  ASSERT_EQ(running->size(), 1U);
  EXPECT_EQ((*running)[0].name(), name);
  EXPECT_TRUE((*store)->InState(v1::Run::STATE_QUEUED)->empty());
}

TEST_F(RunStoreTest, AReasonStaysNoLongerThanWhatItExplains) {
  const std::string name = Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
  const auto wait = [](v1::Run& run) { run.set_reason("the data service does not answer"); };

  EXPECT_EQ(store_->Move(name, v1::Run::STATE_WAITING, wait)->reason(),
            "the data service does not answer");
  EXPECT_EQ(store_->Move(name, v1::Run::STATE_RUNNING)->reason(), "");
}

TEST_F(RunStoreTest, ADeletedRunIsGoneWithItsEventsAndItsNumberIsNotGivenAgain) {
  const std::string name = store_->Add(v1::Run(), "once")->name();
  EXPECT_THAT(store_->Delete(name), Fails(absl::StatusCode::kFailedPrecondition, "is queued"));
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_CANCELLED).ok());

  EXPECT_EQ(*store_->Delete(name), 1);

  EXPECT_THAT(store_->Get(name), Fails(absl::StatusCode::kNotFound, "there is no"));
  EXPECT_TRUE(store_->Events(name, 0, 10)->empty());
  EXPECT_FALSE(store_->FindByRequest("once")->has_value());
  EXPECT_THAT(store_->Delete(name), Fails(absl::StatusCode::kNotFound, "there is no"));
  EXPECT_EQ(*store_->NumberOf(Add()), 2);
}

TEST_F(RunStoreTest, OfManyEpochsTheEndsTheBestAndEvenStepsAreKept) {
  const std::string name = Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
  std::vector<v1::RunEvent> events{Note("fetched")};
  for (int epoch = 1; epoch <= 2'501; ++epoch) {
    events.push_back(Epoch(epoch));
  }
  ASSERT_TRUE(store_->Append(name, events).ok());
  EXPECT_THAT(store_->ThinEpochs(name), Fails(absl::StatusCode::kFailedPrecondition, "running"));
  ASSERT_TRUE(
      store_
          ->Move(name, v1::Run::STATE_UNPUBLISHED, [](v1::Run& run) { run.set_best_epoch(1'234); })
          .ok());
  EXPECT_THAT(*store_->WithManyEvents(), ElementsAre(name));

  ASSERT_TRUE(store_->ThinEpochs(name).ok());
  ASSERT_TRUE(store_->ThinEpochs(name).ok());  // changes nothing any more

  std::set<int> kept;
  int others = 0;
  const std::vector<v1::RunEvent> left = store_->Events(name, 0, 10'000).value();
  for (const v1::RunEvent& event : left) {
    if (event.has_epoch()) {
      kept.insert(event.epoch().epoch());
    } else {
      ++others;
    }
  }
  EXPECT_LE(kept.size(), 1'000U);
  EXPECT_GE(kept.size(), 990U);
  EXPECT_TRUE(kept.contains(1) && kept.contains(1'234) && kept.contains(2'501));
  int last = 0;
  for (const int epoch : kept) {
    EXPECT_LE(epoch - last, 3);
    last = epoch;
  }
  EXPECT_EQ(others, 4);  // the note, and three states
  EXPECT_EQ(store_->Get(name)->epochs_done(), 2'501);
}

TEST_F(RunStoreTest, RunsThatEndedAreToldByTheirTime) {
  const std::string name = Add();
  Add();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_CANCELLED).ok());

  EXPECT_TRUE(store_->EndedBefore(clock_.Now())->empty());
  EXPECT_THAT(*store_->EndedBefore(clock_.Now() + std::chrono::microseconds(1)), ElementsAre(name));
}

}  // namespace
}  // namespace millrace::training
