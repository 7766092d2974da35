#include "services/data/read/examples_cache.h"

#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/data/read/numbered_examples.h"

namespace millrace::data {
namespace {

// Counts how often it is asked to load.
struct Loader {
  ExamplesCache::Load Of(std::int64_t rows) {
    return [this, rows]() -> absl::StatusOr<std::shared_ptr<const Examples>> {
      ++loads;
      return NumberedExamples(rows);
    };
  }

  int loads = 0;
};

TEST(ExamplesCacheTest, LoadsAVersionOnce) {
  ExamplesCache cache({});
  Loader loader;

  const auto first = cache.Get("a", loader.Of(5));
  const auto second = cache.Get("a", loader.Of(5));

  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->get(), second->get());
  EXPECT_EQ(loader.loads, 1);
}

TEST(ExamplesCacheTest, ForgetsTheVersionThatWasAskedForLongestAgo) {
  ExamplesCache cache({.versions_max = 2, .bytes_max = std::int64_t{1} << 30});
  Loader loader;
  for (const char* const name : {"a", "b", "a", "c", "a"}) {
    ASSERT_TRUE(cache.Get(name, loader.Of(5)).ok());
  }
  EXPECT_EQ(loader.loads, 3) << "a is kept";

  ASSERT_TRUE(cache.Get("b", loader.Of(5)).ok());
  EXPECT_EQ(loader.loads, 4) << "b was forgotten for c";
}

TEST(ExamplesCacheTest, KeepsToItsBytesButForTheNewest) {
  ExamplesCache cache({.versions_max = 4, .bytes_max = 1});
  Loader loader;
  const auto first = cache.Get("a", loader.Of(5));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(cache.Get("a", loader.Of(5)).ok());
  EXPECT_EQ(loader.loads, 1);
  ASSERT_TRUE(cache.Get("b", loader.Of(5)).ok());
  ASSERT_TRUE(cache.Get("a", loader.Of(5)).ok());
  EXPECT_EQ(loader.loads, 3);
  EXPECT_EQ((*first)->table.row_count(), 5) << "what a reader holds lives on";
}

TEST(ExamplesCacheTest, AnErrorIsNotKept) {
  ExamplesCache cache({});
  Loader loader;

  const absl::Status failed = cache.Get("a", [] { return DataLoss("damaged"); }).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(failed)), testing::HasSubstr("damaged"));

  EXPECT_TRUE(cache.Get("a", loader.Of(5)).ok());
  EXPECT_EQ(loader.loads, 1);
}

TEST(ExamplesCacheTest, ManyThatAskAtOnceShareOneLoad) {
  ExamplesCache cache({});
  Loader loader;  // not atomic: a second load at the same time is a race that TSan sees
  std::latch start(4);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      EXPECT_TRUE(cache.Get("a", loader.Of(1'000)).ok());
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  EXPECT_EQ(loader.loads, 1);
}

TEST(ExamplesCacheTest, TheSizeGrowsWithTheRows) {
  const std::int64_t few = SizeBytes(*NumberedExamples(10));
  const std::int64_t many = SizeBytes(*NumberedExamples(1'010));

  EXPECT_EQ(many - few, 1'000 * (2 * 9 + 8)) << "two numbers with validity, one place in a split";
}

}  // namespace
}  // namespace millrace::data
