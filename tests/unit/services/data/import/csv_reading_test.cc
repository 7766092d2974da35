#include "services/data/import/csv_reading.h"

#include <stop_token>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/data/import/staged_text.h"

namespace millrace::data {
namespace {

absl::Status Ignore(const csv::Record& /*record*/) {
  return absl::OkStatus();
}

TEST(ReadRecordsTest, StopsBetweenChunksWhenAskedTo) {
  std::stop_source source;
  int reads = 0;
  const StagedFile file{
      .size = std::int64_t{5} << 20,
      .read = [&](std::int64_t /*offset*/, std::int64_t size) -> absl::StatusOr<std::string> {
        ++reads;
        source.request_stop();
        return std::string(static_cast<std::size_t>(size), '\n');
      }};
  const absl::Status status =
      ReadRecords(file, csv::Tokenizer("t.csv", {}), source.get_token(), Ignore);

  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Message(status), "the import was stopped at byte 1048576 of 5242880");
  EXPECT_EQ(reads, 1);
}

TEST(ReadRecordsTest, ReturnsTheReadersErrorAsItCame) {
  const StagedFile file{.size = 10,
                        .read = [](std::int64_t, std::int64_t) -> absl::StatusOr<std::string> {
                          return Unavailable("the disk is gone");
                        }};
  const absl::Status status = ReadRecords(file, csv::Tokenizer("t.csv", {}), {}, Ignore);

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(status), "the disk is gone");
}

TEST(ReadRecordsTest, AFileThatIsShorterThanItSaysIsLost) {
  StagedFile file = StagedText("a,b\n");
  file.size = 9;
  const absl::Status status = ReadRecords(file, csv::Tokenizer("t.csv", {}), {}, Ignore);

  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Message(status), "the staged file must have 9 bytes at 0, found 4");
}

}  // namespace
}  // namespace millrace::data
