#include "services/serving/rpc/compute_pool.h"

#include <atomic>
#include <deque>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "common/status/status.h"
#include "tests/unit/services/serving/rpc/blocker.h"

namespace millrace::serving {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Tells the time that a test sets.
class SetClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point Now() const override { return now_.load(); }

  void Pass(milliseconds duration) { now_ = now_.load() + duration; }

 private:
  std::atomic<std::chrono::system_clock::time_point> now_{
      std::chrono::system_clock::time_point(seconds(1'700'000'000))};
};

// Work that says in which order it ran and how it ended.
class Note final : public ComputeWork {
 public:
  explicit Note(std::atomic<int>& turns) : turns_(turns) {}

  absl::Status Run() override {
    turn_ = ++turns_;
    return absl::OkStatus();
  }

  void End(const absl::Status& status) override { ended_.set_value(status); }

  absl::Status Result() { return ended_.get_future().get(); }

  // From 1 up; 0: it did not run.
  [[nodiscard]] int turn() const { return turn_; }

 private:
  std::atomic<int>& turns_;
  std::atomic<int> turn_ = 0;
  std::promise<absl::Status> ended_;
};

class ComputePoolTest : public testing::Test {
 protected:
  void Open(const ComputeLimits& limits) { pool_.emplace(limits, clock_, metrics_); }

  std::string Metrics() { return prometheus::TextSerializer().Serialize(metrics_->Collect()); }

  // New work that is admitted or not.
  absl::Status Admit(const ComputeDemand& demand) {
    notes_.emplace_back(turns_);
    return pool_->Admit(notes_.back(), demand);
  }

  void ExpectRefused(const ComputeDemand& demand, const std::string& phrase) {
    const std::size_t load = pool_->load();
    const absl::Status status = Admit(demand);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
    EXPECT_THAT(Fix(status), HasSubstr("try again in a moment"));
    EXPECT_EQ(pool_->load(), load) << "nothing of it is kept";
  }

  SetClock clock_;
  std::shared_ptr<prometheus::Registry> metrics_ = std::make_shared<prometheus::Registry>();
  std::atomic<int> turns_ = 0;
  std::deque<Note> notes_;
  std::optional<ComputePool> pool_;
};

TEST_F(ComputePoolTest, RunsWhatItAdmitsInOrder) {
  Open({.threads = 1});
  {
    const Blocker blocker(*pool_);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(Admit({.microseconds = 60}).ok());
    }
    EXPECT_EQ(pool_->load(), 4U);
  }
  std::vector<int> turns;
  for (Note& note : notes_) {
    EXPECT_TRUE(note.Result().ok());
    turns.push_back(note.turn());
  }
  EXPECT_THAT(turns, ElementsAre(1, 2, 3));
}

TEST_F(ComputePoolTest, TakesAsMuchWorkAsMayWaitAndNoMore) {
  Open({.threads = 1, .waiting_max = 10});
  const Blocker blocker(*pool_);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Admit({.microseconds = 60}).ok()) << i;
  }
  ExpectRefused({.microseconds = 60}, "the queue is full: 10 requests wait");
}

TEST_F(ComputePoolTest, TellsWhatWaitsAndWhatWasRefused) {
  Open({.threads = 1, .waiting_max = 1});
  {
    const Blocker blocker(*pool_);
    ASSERT_TRUE(Admit({.microseconds = 60}).ok());
    EXPECT_THAT(Metrics(), HasSubstr("millrace_predictions_waiting 1"));
    EXPECT_FALSE(Admit({.microseconds = 60}).ok());
    EXPECT_TRUE(pool_->Remove(notes_.front()));
    EXPECT_THAT(Metrics(), HasSubstr("millrace_predictions_waiting 0"));
    ASSERT_TRUE(Admit({.microseconds = 60}).ok());
  }
  EXPECT_TRUE(notes_.back().Result().ok());
  EXPECT_THAT(Metrics(),
              AllOf(HasSubstr("millrace_predictions_waiting 0"),
                    HasSubstr("millrace_predictions_refused_total 1")));
}

TEST_F(ComputePoolTest, TakesAsManyBytesAsMayWaitAndNoMore) {
  Open({.threads = 1, .waiting_bytes_max = 1'000});
  const Blocker blocker(*pool_);
  ASSERT_TRUE(Admit({.microseconds = 60, .bytes = 999}).ok());
  ASSERT_TRUE(Admit({.microseconds = 60, .bytes = 1}).ok());
  ExpectRefused({.microseconds = 60, .bytes = 1},
                "requests of 1000 bytes wait, and this one has 1, of 1000 that may");
}

TEST_F(ComputePoolTest, ARequestLargerThanTheQueueWaitsAlone) {
  Open({.threads = 1, .waiting_bytes_max = 1'000});
  const Blocker blocker(*pool_);
  ASSERT_TRUE(Admit({.microseconds = 60, .bytes = 5'000}).ok());
  ExpectRefused({.microseconds = 60, .bytes = 1}, "requests of 5000 bytes wait");
}

// 10 ms run, so 5 ms are left on average; each waiting 5 ms add 5.
TEST_F(ComputePoolTest, TakesWorkWhileItWouldBeginSoon) {
  Open({.threads = 1, .wait_max = milliseconds(20), .waiting_few = 1});
  const Blocker blocker(*pool_, 10'000);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(pool_->wait(), milliseconds(5 + 5 * i));
    ASSERT_TRUE(Admit({.microseconds = 5'000}).ok()) << i;
  }
  ExpectRefused({.microseconds = 60}, "a prediction would begin in about 25 ms");
}

TEST_F(ComputePoolTest, MoreThreadsShareWhatWaits) {
  Open({.threads = 2, .wait_max = milliseconds(20), .waiting_few = 1});
  const Blocker first(*pool_, 10'000);
  EXPECT_EQ(pool_->wait(), milliseconds(0)) << "a thread is free";
  const Blocker second(*pool_, 10'000);
  EXPECT_EQ(pool_->wait(), milliseconds(5));
  ASSERT_TRUE(Admit({.microseconds = 20'000}).ok());
  EXPECT_EQ(pool_->wait(), milliseconds(15));
}

TEST_F(ComputePoolTest, AFewMayWaitForLongWorkSoThatNoThreadIsIdle) {
  Open({.threads = 1, .wait_max = milliseconds(20), .waiting_few = 3});
  const Blocker blocker(*pool_, 1e6);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Admit({.microseconds = 1e6}).ok()) << i;
  }
  ExpectRefused({.microseconds = 60}, "a prediction would begin in about 3500 ms");
}

TEST_F(ComputePoolTest, RefusesWhatWouldBeReadyOnlyAfterItsDeadline) {
  Open({.threads = 1});
  const Blocker blocker(*pool_, 10'000);

  ExpectRefused({.microseconds = 3'000, .deadline = clock_.Now() + milliseconds(7)},
                "a prediction would begin in about 5 ms, and the call ends in 7 ms");
  EXPECT_TRUE(Admit({.microseconds = 3'000, .deadline = clock_.Now() + milliseconds(8)}).ok());
}

TEST_F(ComputePoolTest, WithAFreeThreadADeadlineIsTried) {
  Open({.threads = 1});
  EXPECT_TRUE(Admit({.microseconds = 3'000, .deadline = clock_.Now() + milliseconds(2)}).ok());
  EXPECT_TRUE(notes_[0].Result().ok());
  EXPECT_EQ(notes_[0].turn(), 1);
}

TEST_F(ComputePoolTest, WhatExpiresWhileItWaitsIsNotRun) {
  Open({.threads = 1});
  {
    const Blocker blocker(*pool_);
    ASSERT_TRUE(Admit({.microseconds = 60, .deadline = clock_.Now() + milliseconds(50)}).ok());
    ASSERT_TRUE(Admit({.microseconds = 60}).ok());
    clock_.Pass(milliseconds(51));
  }
  const absl::Status late = notes_[0].Result();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(Message(late)), HasSubstr("the deadline comes before"));
  EXPECT_TRUE(notes_[1].Result().ok());
  EXPECT_EQ(notes_[0].turn(), 0);
  EXPECT_EQ(turns_, 1);
}

TEST_F(ComputePoolTest, WhatCannotBeReadyInTimeAnyMoreIsNotRun) {
  Open({.threads = 1});
  {
    const Blocker blocker(*pool_);
    ASSERT_TRUE(Admit({.microseconds = 40'000, .deadline = clock_.Now() + milliseconds(50)}).ok());
    clock_.Pass(milliseconds(31));
  }
  EXPECT_EQ(notes_[0].Result().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(turns_, 0);
}

TEST_F(ComputePoolTest, WhatIsTakenBackLeavesItsPlaceAndIsNotTouched) {
  Open({.threads = 1, .waiting_max = 2, .waiting_bytes_max = 100});
  {
    const Blocker blocker(*pool_);
    ASSERT_TRUE(Admit({.microseconds = 60, .bytes = 90}).ok());
    ASSERT_TRUE(Admit({.microseconds = 60, .bytes = 10}).ok());
    ExpectRefused({.microseconds = 60, .bytes = 1}, "the queue is full");

    EXPECT_TRUE(pool_->Remove(notes_[0]));
    EXPECT_FALSE(pool_->Remove(notes_[0])) << "it is gone";
    EXPECT_FALSE(pool_->Remove(blocker)) << "it runs";
    EXPECT_EQ(pool_->load(), 2U);
    ASSERT_TRUE(Admit({.microseconds = 60, .bytes = 90}).ok());
  }
  EXPECT_TRUE(notes_.back().Result().ok());
  EXPECT_EQ(notes_[0].turn(), 0);
  EXPECT_EQ(turns_, 2);
}

TEST_F(ComputePoolTest, LearnsThatEstimatesAreTooHigh) {
  Open({.threads = 1, .wait_max = milliseconds(20), .waiting_few = 1});
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Admit({.microseconds = 1e6}).ok());  // a second is estimated, nothing is done
    ASSERT_TRUE(notes_.back().Result().ok());
  }
  const Blocker blocker(*pool_, 160'000);
  EXPECT_EQ(pool_->wait(), milliseconds(5)) << "by no more than a factor of 16";
}

TEST_F(ComputePoolTest, RunsAllThatItAdmittedBeforeItEnds) {
  Open({.threads = 2});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Admit({.microseconds = 60}).ok());
  }
  pool_.reset();
  EXPECT_EQ(turns_, 100);
}

}  // namespace
}  // namespace millrace::serving
