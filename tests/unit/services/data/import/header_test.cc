#include "services/data/import/header.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;

bool HasHeader(const SampleRecords& records) {
  return DetectHeader(records, features::MissingSpellings(features::DefaultMissingSpellings()));
}

TEST(DetectHeaderTest, TextsAboveNumbersOrTimesAreAHeader) {
  EXPECT_TRUE(HasHeader({{"age", "colour"}, {"1", "red"}, {"", "blue"}}));
  EXPECT_TRUE(HasHeader({{"when", "colour"}, {"2024-01-01", "red"}}));
  EXPECT_TRUE(HasHeader({{"name", "2019"}, {"1", "7"}}));
}

TEST(DetectHeaderTest, NumbersOrTimesInTheFirstRecordAreData) {
  EXPECT_FALSE(HasHeader({{"1", "2"}, {"3", "4"}}));
  EXPECT_FALSE(HasHeader({{"5.1", "setosa"}, {"4.9", "setosa"}}));
  EXPECT_FALSE(HasHeader({{"2024-01-01", "a"}, {"2024-01-02", "b"}}));
}

TEST(DetectHeaderTest, ATextThatItsColumnRepeatsIsData) {
  EXPECT_FALSE(HasHeader({{"red", "a"}, {"blue", "b"}, {"red", "c"}}));
  EXPECT_TRUE(HasHeader({{"colour", "kind"}, {"blue", "b"}, {"red", "b"}}));
}

TEST(DetectHeaderTest, ALoneRecordOfTextsIsAHeader) {
  EXPECT_TRUE(HasHeader({{"a", "b"}}));
  EXPECT_FALSE(HasHeader({{"a", "7"}}));
  EXPECT_TRUE(HasHeader({}));
}

TEST(DetectHeaderTest, RaggedSamplesDoNoHarm) {
  EXPECT_TRUE(HasHeader({{"a", "b", "c"}, {"1"}, {"1", "2", "3", "4"}}));
}

absl::StatusOr<std::vector<std::string>> Names(const std::string& line) {
  absl::StatusOr<std::vector<std::string>> names;
  csv::Tokenizer tokenizer("t.csv", {});
  const auto read = [&names](const csv::Record& record) {
    names = ReadNames(record, "t.csv");
    return absl::OkStatus();
  };
  EXPECT_TRUE(tokenizer.Feed(line, read).ok());
  EXPECT_TRUE(tokenizer.Finish(read).ok());
  return names;
}

TEST(ReadNamesTest, TrimsAndNumbersEmptyOnes) {
  EXPECT_THAT(*Names("\" a \",,c\n"), ElementsAre("a", "column_2", "c"));
}

TEST(ReadNamesTest, RefusesRepeatedAndLongNames) {
  const absl::Status repeated = Names("age,sex,age\n").status();
  EXPECT_EQ(repeated.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(repeated),
            "t.csv:1:9: columns must have different names, found a second 'age'");
  EXPECT_THAT(Fix(repeated), testing::HasSubstr("rename one"));

  EXPECT_TRUE(Names(std::string(256, 'x')).ok());
  const absl::Status longer = Names("a," + std::string(257, 'x')).status();
  EXPECT_EQ(longer.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(longer), "t.csv:1:3: a column's name has at most 256 bytes, found 257");
}

TEST(NumberedNamesTest, CountFromOne) {
  EXPECT_THAT(NumberedNames(2), ElementsAre("column_1", "column_2"));
}

}  // namespace
}  // namespace millrace::data
