#include "common/audit/audit_log.h"

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/common/transfer/set_clock.h"

namespace millrace::audit {
namespace {

using storage::FaultyFileSystem;
using storage::FileSystem;
using storage::PosixFileSystem;
using testing::HasSubstr;

class AuditLogTest : public testing::Test {
 protected:
  // Opens the log, appends `count` changes and closes it.
  void Write(int count) {
    const auto log = AuditLog::Open(PosixFileSystem(), SystemClock(), folder_);
    ASSERT_TRUE(log.ok()) << log.status();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE((*log)->Append(change_).ok());
    }
  }

  [[nodiscard]] std::string Path(int number) const {
    return folder_ + "/0000000" + std::to_string(number) + ".jsonl";
  }

  [[nodiscard]] std::vector<std::string> Lines(int number) const {
    std::ifstream stream(Path(number));
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(line);
    }
    return lines;
  }

  void Replace(int number, const std::vector<std::string>& lines) const {
    std::ofstream stream(Path(number), std::ios::trunc);
    for (const std::string& line : lines) {
      stream << line << "\n";
    }
  }

  void ExpectBadAt(const std::string& place) const {
    const auto position = Verify(PosixFileSystem(), folder_);
    ASSERT_EQ(position.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(Message(position.status())), HasSubstr(place));
  }

  storage::TemporaryFolder temporary_;
  std::string folder_ = temporary_.path() + "/audit";
  Change change_ = {.caller = "ana",
                    .request_id = "",
                    .method = "millrace.data.v1.DataService/DeleteDataset",
                    .resource = "datasets/iris",
                    .outcome = "OK"};
};

TEST_F(AuditLogTest, TheChainRunsOnThroughEveryStart) {
  Write(3);
  Write(0);
  Write(2);

  const auto position = Verify(PosixFileSystem(), folder_);
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(position->sequence, 5);
  EXPECT_EQ(Lines(1).size(), 5U) << "a start begins no file";
  EXPECT_THAT(Lines(1).back(), HasSubstr(position->digest));
}

TEST_F(AuditLogTest, NamesTheFirstBadLine) {
  Write(5);
  const std::vector<std::string> good = Lines(1);

  std::vector<std::string> lines = good;
  lines[2][lines[2].find("iris") + 1] = 'R';
  Replace(1, lines);
  ExpectBadAt("00000001.jsonl:3: the line was changed");

  lines = good;
  lines.erase(lines.begin() + 1);
  Replace(1, lines);
  ExpectBadAt("00000001.jsonl:2: lines are missing");

  lines = good;
  std::swap(lines[3], lines[4]);
  Replace(1, lines);
  ExpectBadAt("00000001.jsonl:4: lines are missing, doubled or moved");

  lines = good;
  lines.insert(lines.begin() + 1, lines[1]);
  Replace(1, lines);
  ExpectBadAt("00000001.jsonl:3: lines are missing, doubled or moved");

  lines = good;
  lines.insert(lines.begin() + 4, "");
  Replace(1, lines);
  ExpectBadAt("00000001.jsonl:5: the line does not end with its digest");
}

TEST_F(AuditLogTest, NoticesAMissingFile) {
  Write(4);
  const std::vector<std::string> lines = Lines(1);
  Replace(1, {lines[0], lines[1]});
  Replace(2, {lines[2], lines[3]});
  ASSERT_TRUE(Verify(PosixFileSystem(), folder_).ok());
  std::filesystem::remove(Path(1));
  ExpectBadAt("expected 00000001.jsonl, found 00000002.jsonl");
}

TEST_F(AuditLogTest, DoesNotOpenALogThatWasTamperedWith) {
  Write(2);
  std::vector<std::string> lines = Lines(1);
  lines.erase(lines.begin());
  Replace(1, lines);

  const auto log = AuditLog::Open(PosixFileSystem(), SystemClock(), folder_);
  EXPECT_EQ(log.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(log.status())), HasSubstr("00000001.jsonl:1"));
}

TEST_F(AuditLogTest, HalfALineAtTheEndOfAFileIsPassedOver) {
  Write(2);
  std::ofstream(Path(1), std::ios::app) << R"({"sequence":3,"time)";
  Write(1);

  const auto position = Verify(PosixFileSystem(), folder_);
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(position->sequence, 3);
}

TEST_F(AuditLogTest, ALastLineWhoseEndWasChangedIsNotPassedOver) {
  Write(2);
  std::fstream(Path(1), std::ios::in | std::ios::out | std::ios::ate).seekp(-1, std::ios::end)
      << '_';

  ExpectBadAt("00000001.jsonl:2: the end of the line was changed");
}

TEST_F(AuditLogTest, WhatTheEndLosesIsSeenByThePosition) {
  Write(3);
  const auto before = Verify(PosixFileSystem(), folder_);
  std::vector<std::string> lines = Lines(1);
  lines.pop_back();
  Replace(1, lines);

  const auto after = Verify(PosixFileSystem(), folder_);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(before->sequence - after->sequence, 1);
  EXPECT_NE(before->digest, after->digest);
}

// Goal: an append that does not reach the medium fails, and the chain survives it. Method: each
// operation on the disk fails in turn; afterwards the log goes on.
TEST_F(AuditLogTest, AFailureOfTheDiskFailsTheAppendAndNotTheChain) {
  constexpr int kOperations = 6;  // folder, create, sync of it, append, sync; append of the next
  for (int failing = 1; failing <= kOperations; ++failing) {
    const std::string folder = folder_ + std::to_string(failing);
    FaultyFileSystem disk(failing);
    auto log = AuditLog::Open(disk, SystemClock(), folder);
    if (!log.ok()) {
      EXPECT_EQ(failing, 1);
      continue;
    }
    std::int64_t refused = 0;
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = (*log)->Append(change_);
      refused += status.ok() ? 0 : 1;
      if (!status.ok()) {
        EXPECT_THAT(std::string(Message(status)), HasSubstr("writing the audit log"));
        EXPECT_THAT(std::string(Message(status)), HasSubstr("on purpose"));
      }
    }
    EXPECT_EQ(refused, 1) << failing;
    const auto position = Verify(PosixFileSystem(), folder);
    ASSERT_TRUE(position.ok()) << failing << position.status();
    // A line that was written but not synced may be there although its Append() failed.
    EXPECT_GE(position->sequence, 2) << failing;
  }
}

// Each refusal once left an empty file and read the whole log again: a line that is damaged
// meanwhile, and that nothing needs, shows whether it does.
TEST_F(AuditLogTest, AFullDiskLeavesNoFilesAndTheLogGoesOnByItself) {
  FaultyFileSystem disk;
  const auto log = AuditLog::Open(disk, SystemClock(), folder_);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Append(change_).ok());
  const std::vector<std::string> good = Lines(1);
  Replace(1, {std::string(good[0].size(), 'x')});

  disk.Fill(true);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ((*log)->Append(change_).code(), absl::StatusCode::kResourceExhausted);
  }
  disk.Fill(false);

  ASSERT_TRUE((*log)->Append(change_).ok());
  EXPECT_THAT(*PosixFileSystem().List(folder_), testing::ElementsAre("00000001.jsonl"));
  std::vector<std::string> lines = Lines(1);
  ASSERT_EQ(lines.size(), 2U);
  lines[0] = good[0];
  Replace(1, lines);
  EXPECT_EQ(Verify(PosixFileSystem(), folder_)->sequence, 2);
}

TEST_F(AuditLogTest, TheLineOfADeletionGetsTheReserveAndOthersDoNot) {
  FaultyFileSystem disk;
  const auto reserve = storage::Reserve::Of(temporary_.path());
  reserve->Keep(std::int64_t{1} << 20);
  const auto log = AuditLog::Open(disk, SystemClock(), folder_);
  ASSERT_TRUE(log.ok()) << log.status();
  disk.FillWhile(temporary_.path() + "/reserve");

  EXPECT_TRUE((*log)->Append(change_).ok());
  change_.method = "millrace.data.v1.DataService/ImportDataset";
  EXPECT_EQ((*log)->Append(change_).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Verify(PosixFileSystem(), folder_)->sequence, 1);
}

class AuditRetentionTest : public AuditLogTest {
 protected:
  // A line a day in files of a day each.
  void WriteDays(int count, std::int32_t days) {
    const auto log = AuditLog::Open(PosixFileSystem(), clock_, folder_, days);
    ASSERT_TRUE(log.ok()) << log.status();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE((*log)->Append(change_).ok());
      clock_.Advance(std::chrono::hours(24));
    }
  }

  [[nodiscard]] std::vector<std::string> Files() const { return *PosixFileSystem().List(folder_); }

  transfer::SetClock clock_;
};

TEST_F(AuditRetentionTest, OldFilesGoAndTheChainStillHolds) {
  WriteDays(9, 3);

  EXPECT_THAT(Files(),
              testing::ElementsAre("00000005.jsonl",
                                   "00000006.jsonl",
                                   "00000007.jsonl",
                                   "00000008.jsonl",
                                   "00000009.jsonl"));
  const auto position = Verify(PosixFileSystem(), folder_);
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(position->sequence, 9);
  EXPECT_THAT(Lines(5), testing::ElementsAre(HasSubstr("millrace.audit/Retention")));

  WriteDays(1, 3);
  EXPECT_EQ(Verify(PosixFileSystem(), folder_)->sequence, 10);
}

TEST_F(AuditRetentionTest, ARemovalThatBrokeOffIsCompletedAtTheNextStart) {
  WriteDays(9, 3);
  std::ofstream(Path(3)) << "of a file that should have gone\n";
  std::ofstream(folder_ + "/0123.tmp") << "of a retention that was not finished";
  EXPECT_EQ(Verify(PosixFileSystem(), folder_)->sequence, 9);

  WriteDays(0, 3);

  EXPECT_EQ(Files().front(), "00000006.jsonl") << "a day later";
  EXPECT_EQ(Files().size(), 4U);
}

TEST_F(AuditRetentionTest, WhatIsLeftIsStillHeldTogether) {
  WriteDays(9, 3);
  std::filesystem::remove(Path(5));
  ExpectBadAt("expected 00000001.jsonl, found 00000006.jsonl");
}

TEST_F(AuditRetentionTest, WithoutDaysNothingGoesAndNoDayBeginsAFile) {
  WriteDays(400, 0);
  EXPECT_THAT(Files(), testing::ElementsAre("00000001.jsonl"));
}

TEST_F(AuditLogTest, IsSyncedBeforeAppendReturns) {
  FaultyFileSystem disk;
  const auto log = AuditLog::Open(disk, SystemClock(), folder_);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Append(change_).ok());
  ASSERT_TRUE((*log)->Append(change_).ok());

  EXPECT_THAT(disk.operations(),
              testing::ElementsAre(
                  "make folder", "create", "sync folder", "append", "sync", "append", "sync"));
}

TEST_F(AuditLogTest, TakesChangesFromManyThreads) {
  const auto log = AuditLog::Open(PosixFileSystem(), SystemClock(), folder_);
  ASSERT_TRUE(log.ok()) << log.status();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 25; ++j) {
        EXPECT_TRUE((*log)->Append(change_).ok());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const auto position = Verify(PosixFileSystem(), folder_);
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(position->sequence, 100);
}

}  // namespace
}  // namespace millrace::audit
