#include "common/rpc/pool.h"

#include <atomic>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::rpc {
namespace {

using testing::HasSubstr;

TEST(PoolTest, RunsEverythingThatWasAcceptedBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    Pool pool(2, 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(pool.Submit([&ran] { ++ran; }).ok());
    }
  }
  EXPECT_EQ(ran, 100);
}

TEST(PoolTest, RefusesAtOnceWhenTheQueueIsFullAndTakesAgainWhenItIsNot) {
  std::promise<void> began;
  std::promise<void> release;
  std::promise<void> second_done;
  Pool pool(1, 1);
  ASSERT_TRUE(pool.Submit([&] {
                    began.set_value();
                    release.get_future().wait();
                  })
                  .ok());
  began.get_future().wait();  // so that it runs and does not wait
  ASSERT_TRUE(pool.Submit([&] { second_done.set_value(); }).ok());

  const absl::Status refused = pool.Submit([] {});

  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Message(refused)), HasSubstr("the queue is full: 1 requests wait"));
  EXPECT_EQ(pool.load(), 2U) << "one runs, one waits";
  release.set_value();
  second_done.get_future().wait();
  EXPECT_TRUE(pool.Submit([] {}).ok());
}

TEST(PoolTest, RunsOneAfterTheOtherInTheOrderOfSubmissionOnOneThread) {
  std::string order;
  {
    Pool pool(1, 10);
    for (const char letter : {'a', 'b', 'c', 'd'}) {
      ASSERT_TRUE(pool.Submit([&order, letter] { order += letter; }).ok());
    }
  }
  EXPECT_EQ(order, "abcd");
}

TEST(PoolTest, WorkThatThrowsEndsItselfAndNotTheThread) {
  bool ran = false;
  {
    Pool pool(1, 10);
    ASSERT_TRUE(pool.Submit([] { throw std::bad_alloc(); }).ok());
    ASSERT_TRUE(pool.Submit([&ran] { ran = true; }).ok());
  }
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace millrace::rpc
