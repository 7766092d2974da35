#include "services/training/runs/run_retention.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/runs/run_executor_fixture.h"

namespace millrace::training {
namespace {

class SetClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point Now() const override { return now; }

  std::chrono::system_clock::time_point now{std::chrono::seconds(1'700'000'000)};
};

class RunRetentionTest : public testing::Test {
 protected:
  RunRetentionTest() {
    ExecutorOptions options;
    options.folder = folder_.path() + "/runs";
    executor_ = RunExecutor::Start(*store_, options).value();
  }

  std::string AddEnded() {
    const std::string name = store_->Add(v1::Run(), "")->name();
    EXPECT_TRUE(store_->Move(name, v1::Run::STATE_CANCELLED).ok());
    return name;
  }

  SetClock clock_;
  storage::TemporaryFolder folder_;
  std::unique_ptr<RunStore> store_ = RunStore::Open(":memory:", clock_).value();
  std::unique_ptr<RunExecutor> executor_;
};

TEST_F(RunRetentionTest, ARunGoesAfterItsDaysAndNotBefore) {
  const std::string old = AddEnded();
  clock_.now += std::chrono::hours(1);
  const std::string younger = AddEnded();
  RunRetention retention(*store_, *executor_, clock_, /*days=*/1);
  EXPECT_TRUE(store_->Get(old).ok());

  clock_.now += std::chrono::hours(23);
  retention.Tidy();
  EXPECT_TRUE(store_->Get(old).ok());  // to the second

  clock_.now += std::chrono::seconds(1);
  retention.Tidy();
  EXPECT_FALSE(store_->Get(old).ok());
  EXPECT_TRUE(store_->Get(younger).ok());
}

TEST_F(RunRetentionTest, WhatIsOldIsGoneWhenItStarts) {
  const std::string old = AddEnded();
  clock_.now += std::chrono::hours(25);

  const RunRetention retention(*store_, *executor_, clock_, /*days=*/1);

  EXPECT_FALSE(store_->Get(old).ok());
}

TEST_F(RunRetentionTest, NoDaysAreForEver) {
  const std::string old = AddEnded();
  clock_.now += std::chrono::hours(24 * 36'500);

  const RunRetention retention(*store_, *executor_, clock_, /*days=*/0);

  EXPECT_TRUE(store_->Get(old).ok());
}

// The stand of an earlier build, or of one that was killed before it had thinned them.
TEST_F(RunRetentionTest, EpochsThatAreTooManyAreThinned) {
  const std::string name = store_->Add(v1::Run(), "")->name();
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_RUNNING).ok());
  std::vector<v1::RunEvent> events(1'500);
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].mutable_epoch()->set_epoch(static_cast<int>(i) + 1);
  }
  ASSERT_TRUE(store_->Append(name, events).ok());
  ASSERT_TRUE(store_->Move(name, v1::Run::STATE_FAILED).ok());

  const RunRetention retention(*store_, *executor_, clock_, /*days=*/0);

  EXPECT_LE(store_->Events(name, 0, 10'000)->size(), 1'003U);
}

TEST_F(RunExecutorTest, ADeletedRunIsGoneWithItsFolder) {
  worker_.SaysResultKeptBack("worse");
  Start();
  const std::string name = Create();
  AwaitEnd(name);

  ASSERT_TRUE(executor_->Delete(name).ok());

  EXPECT_FALSE(store_->Get(name).ok());
  EXPECT_TRUE(std::filesystem::is_empty(options_.folder));
  EXPECT_THAT(executor_->Delete(name), Fails(absl::StatusCode::kNotFound, "there is no"));
}

TEST_F(RunExecutorTest, ARunThatIsUnderWayIsNotDeleted) {
  worker_.SaysNote("working").GoesOn();
  Start();
  const std::string name = Create();
  AwaitNote(name);

  EXPECT_THAT(executor_->Delete(name), Fails(absl::StatusCode::kFailedPrecondition, "is running"));
}

}  // namespace
}  // namespace millrace::training
