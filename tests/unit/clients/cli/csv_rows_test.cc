#include "clients/cli/csv_rows.h"

#include <fstream>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using testing::ElementsAre;
using training::Fails;

absl::StatusOr<CsvRows> Read(const std::string& text, char delimiter = ',') {
  const storage::TemporaryFolder folder;
  const std::string path = folder.path() + "/rows.csv";
  std::ofstream(path, std::ios::binary) << text;
  return ReadCsv(path, delimiter);
}

TEST(CsvRowsTest, CellsAreTakenAsTheyStand) {
  const auto rows = Read("mean radius,\"a=b,c\"\n 1.5 ,N/A\n,\"two\nlines\"\n");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->columns, ElementsAre("mean radius", "a=b,c"));
  EXPECT_THAT(rows->rows, ElementsAre(ElementsAre(" 1.5 ", "N/A"), ElementsAre("", "two\nlines")));
}

TEST(CsvRowsTest, AnotherDelimiterIsObeyed) {
  const auto rows = Read("a;b\n1,5;2\n", ';');
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->columns, ElementsAre("a", "b"));
  EXPECT_THAT(rows->rows, ElementsAre(ElementsAre("1,5", "2")));
}

TEST(CsvRowsTest, AFileOfMoreThanAReadIsWhole) {
  std::string text = "name,n\n";
  for (int i = 0; i < 200'000; ++i) {
    text += "some words," + std::to_string(i) + "\n";
  }
  const auto rows = Read(text);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->rows.size(), 200'000U);
  EXPECT_THAT(rows->rows.back(), ElementsAre("some words", "199999"));
}

TEST(CsvRowsTest, AnEmptyFileSaysSo) {
  const auto rows = Read("");
  EXPECT_THAT(rows, Fails(absl::StatusCode::kInvalidArgument, "rows.csv is empty"));
  EXPECT_EQ(Fix(rows.status()), "give a header and at least one row below it");
}

TEST(CsvRowsTest, AHeaderAloneIsNoRow) {
  EXPECT_THAT(Read("a,b\n"),
              Fails(absl::StatusCode::kInvalidArgument, "rows.csv has no row below its header"));
}

TEST(CsvRowsTest, ARowOfAnotherWidthNamesItsLine) {
  const auto rows = Read("a,b\n1,2\n1,2,3\n");
  EXPECT_THAT(rows, Fails(absl::StatusCode::kInvalidArgument, "rows.csv:3"));
  EXPECT_NE(Fix(rows.status()), "");
}

TEST(CsvRowsTest, WhatIsNoCsvNamesItsPlace) {
  EXPECT_THAT(Read("a,b\n\"x,2\n"), Fails(absl::StatusCode::kInvalidArgument, "rows.csv:2:1"));
}

TEST(CsvRowsTest, AMissingFileIsNotFound) {
  const auto rows = ReadCsv("no/such.csv", ',');
  EXPECT_THAT(rows, Fails(absl::StatusCode::kNotFound, "there is no file 'no/such.csv'"));
  EXPECT_EQ(Fix(rows.status()), "give the path of a CSV file with a header");
}

}  // namespace
}  // namespace millrace::cli
