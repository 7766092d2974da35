#include "common/storage/record_sorter.h"

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/status/status.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::IsEmpty;

class RecordSorterTest : public testing::Test {
 protected:
  [[nodiscard]] Scratch MakeScratch() const {
    return {.files = PosixFileSystem(), .folder = folder_.path()};
  }

  [[nodiscard]] std::vector<std::string> Files() const {
    return *PosixFileSystem().List(folder_.path());
  }

  TemporaryFolder folder_;
};

std::vector<std::uint32_t> Drain(const RecordSorter<std::uint32_t>& sorter) {
  std::vector<std::uint32_t> drained;
  const absl::Status status = sorter.ForEach([&](std::uint32_t record) {
    drained.push_back(record);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return drained;
}

// Goal: memory and disk give the same. Method: 50,000 numbers through buffers that hold all, some
// and few of them; each twice over.
TEST_F(RecordSorterTest, SortsAnyNumberOfRecordsAnyNumberOfTimes) {
  Random random(11);
  std::vector<std::uint32_t> records;
  for (int i = 0; i < 50'000; ++i) {
    records.push_back(random.Next() % 10'000);
  }
  std::vector<std::uint32_t> sorted = records;
  std::sort(sorted.begin(), sorted.end());
  for (const std::size_t buffer : {100'000U, 50'000U, 9'999U, 700U}) {
    RecordSorter<std::uint32_t> sorter(MakeScratch(), buffer);
    for (std::size_t at = 0; at < records.size(); at += 1'234) {
      const std::size_t count = std::min<std::size_t>(1'234, records.size() - at);
      ASSERT_TRUE(sorter.Add(std::span(records).subspan(at, count)).ok());
    }
    ASSERT_TRUE(sorter.Finish().ok());
    EXPECT_EQ(Drain(sorter), sorted) << buffer;
    EXPECT_EQ(Drain(sorter), sorted) << buffer;
    EXPECT_EQ(Files().size(), buffer > records.size() ? 0U : 1U);
  }
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(RecordSorterTest, NoRecordsAreFine) {
  RecordSorter<std::uint32_t> sorter(MakeScratch(), 10);
  ASSERT_TRUE(sorter.Finish().ok());
  EXPECT_THAT(Drain(sorter), IsEmpty());
}

TEST_F(RecordSorterTest, ManyThreadsMayAdd) {
  RecordSorter<std::uint32_t> sorter(MakeScratch(), 1'000);
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&sorter, thread] {
      for (std::uint32_t i = 0; i < 5'000; ++i) {
        const std::uint32_t record = 4 * i + thread;
        EXPECT_TRUE(sorter.Add({&record, 1}).ok());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ASSERT_TRUE(sorter.Finish().ok());
  const std::vector<std::uint32_t> drained = Drain(sorter);
  ASSERT_EQ(drained.size(), 20'000U);
  for (std::uint32_t i = 0; i < drained.size(); ++i) {
    ASSERT_EQ(drained[i], i);
  }
}

TEST_F(RecordSorterTest, EndsAtTheSinksErrorAndReturnsIt) {
  RecordSorter<std::uint32_t> sorter(MakeScratch(), 2);
  const std::vector<std::uint32_t> records = {3, 1, 2};
  ASSERT_TRUE(sorter.Add(records).ok());
  ASSERT_TRUE(sorter.Finish().ok());
  int seen = 0;
  const absl::Status status = sorter.ForEach(
      [&](std::uint32_t) { return ++seen == 2 ? Cancelled("enough") : absl::OkStatus(); });

  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Message(status), "enough");
  EXPECT_EQ(seen, 2);
}

TEST_F(RecordSorterTest, ADiskThatFailsIsToldAndLeavesNothing) {
  for (int failing = 1; failing <= 4; ++failing) {
    FaultyFileSystem disk(failing);
    absl::Status status;
    {
      RecordSorter<std::uint32_t> sorter({.files = disk, .folder = folder_.path()}, 2);
      const std::vector<std::uint32_t> records = {3, 1, 2};
      status = sorter.Add(records);
      if (status.ok()) {
        status = sorter.Finish();
      }
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << failing;
    EXPECT_THAT(std::string(Message(status)), testing::HasSubstr("on purpose"));
    EXPECT_THAT(Files(), IsEmpty()) << failing;
  }
}

}  // namespace
}  // namespace millrace::storage
