#include "clients/cli/row_source.h"

#include <fstream>
#include <memory>
#include <sstream>
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

using serving::v1::PredictRequest;
using testing::ElementsAre;
using training::Fails;

using Rows = std::vector<std::vector<std::string>>;

struct ReadRows {
  std::vector<std::string> columns;  // of the last batch
  Rows rows;
  int batches = 0;
};

std::string Text(const schema::v1::Value& value) {
  return value.has_text()      ? value.text()
         : value.has_boolean() ? (value.boolean() ? "yes" : "no")
                               : "(missing)";
}

absl::StatusOr<ReadRows> ReadAll(RowSource& source, const BatchLimits& limits) {
  ReadRows all;
  for (PredictRequest request;; ++all.batches) {
    RETURN_IF_ERROR(source.Next(limits, request));
    if (request.rows().empty()) {
      return all;
    }
    all.columns.assign(request.columns().begin(), request.columns().end());
    for (const auto& row : request.rows()) {
      std::vector<std::string>& cells = all.rows.emplace_back();
      for (const auto& value : row.values()) {
        cells.push_back(Text(value));
      }
    }
  }
}

absl::StatusOr<ReadRows> Read(const std::string& text,
                              const RowOptions& options = {},
                              const BatchLimits& limits = {}) {
  const storage::TemporaryFolder folder;
  const std::string path = folder.path() + "/rows.csv";
  std::ofstream(path, std::ios::binary) << text;
  std::istringstream nothing;
  ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source, OpenRows(path, options, nothing));
  return ReadAll(*source, limits);
}

constexpr RowOptions kJson{.form = RowForm::kJson};

TEST(RowSourceTest, CellsAreTakenAsTheyStand) {
  const auto rows = Read("mean radius,\"a=b,c\"\n 1.5 ,N/A\n,\"two\nlines\"\n");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->columns, ElementsAre("mean radius", "a=b,c"));
  EXPECT_THAT(rows->rows, ElementsAre(ElementsAre(" 1.5 ", "N/A"), ElementsAre("", "two\nlines")));
}

TEST(RowSourceTest, AnotherDelimiterIsObeyed) {
  const auto rows = Read("a;b\n1,5;2\n", {.delimiter = ';'});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->rows, ElementsAre(ElementsAre("1,5", "2")));
}

TEST(RowSourceTest, ALongFileComesInBatchesOfTheirLimits) {
  std::string text = "name,n\n";
  for (int i = 0; i < 200'000; ++i) {
    text += "some words," + std::to_string(i) + "\n";
  }
  const auto rows = Read(text, {}, {.rows_max = 1000});
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->rows.size(), 200'000U);
  EXPECT_EQ(rows->batches, 200);
  EXPECT_THAT(rows->rows.back(), ElementsAre("some words", "199999"));
  EXPECT_GT(Read(text, {}, {.rows_max = 100'000, .bytes_max = 1000})->batches, 4000);
}

TEST(RowSourceTest, FilesWithoutRowsSaySo) {
  EXPECT_THAT(Read(""), Fails(absl::StatusCode::kInvalidArgument, "rows.csv is empty"));
  EXPECT_THAT(Read("a,b\n"),
              Fails(absl::StatusCode::kInvalidArgument, "rows.csv has no row below its header"));
  EXPECT_THAT(Read("[]", kJson),
              Fails(absl::StatusCode::kInvalidArgument, "rows.csv has no object"));
}

TEST(RowSourceTest, WhatIsNoCsvNamesItsPlace) {
  EXPECT_THAT(Read("a,b\n1,2\n1,2,3\n"), Fails(absl::StatusCode::kInvalidArgument, "rows.csv:3"));
  EXPECT_THAT(Read("a,b\n\"x,2\n"), Fails(absl::StatusCode::kInvalidArgument, "rows.csv:2:1"));
}

TEST(RowSourceTest, AMissingFileIsNotFound) {
  std::istringstream nothing;
  EXPECT_THAT(OpenRows("no/such.csv", {}, nothing),
              Fails(absl::StatusCode::kNotFound, "there is no file 'no/such.csv'"));
}

TEST(RowSourceTest, ObjectsOfAnArrayAndOfLinesAreTheSameRows) {
  for (const char* const text :
       {R"([{"a": 1.50, "b": "x}\"{"}, {"b": null, "c": true}])",
        "{\"a\": 1.50, \"b\": \"x}\\\"{\"}\n{\"b\": null, \"c\": true}\n"}) {
    const auto rows = Read(text, kJson);
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_THAT(rows->columns, ElementsAre("a", "b", "c"));
    EXPECT_THAT(rows->rows,
                ElementsAre(ElementsAre("1.5", "x}\"{", "(missing)"),
                            ElementsAre("(missing)", "(missing)", "yes")));
  }
}

TEST(RowSourceTest, LongNumbersKeepTheirDigits) {
  EXPECT_THAT(Read(R"({"id": 12345678901234567890})", kJson)->rows,
              ElementsAre(ElementsAre("12345678901234567890")));
}

TEST(RowSourceTest, WhatIsNoJsonNamesItsPlace) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(Read("{\"a\": 1}\nx", kJson), Fails(kInvalid, "rows.csv:2: expected an object"));
  EXPECT_THAT(Read("[{\"a\": 1}", kJson), Fails(kInvalid, "it ends before its end"));
  EXPECT_THAT(Read("{\"a\": 1}{a}", kJson), Fails(kInvalid, "object 2 is no JSON"));
  EXPECT_THAT(Read(R"({"a": [1]})", kJson),
              Fails(kInvalid, "object 1: 'a' must be a text, a number, true, false or null"));
  EXPECT_THAT(Read("[{}] {}", kJson), Fails(kInvalid, "expected an object"));
}

TEST(RowSourceTest, AHyphenIsTheStandardInput) {
  std::istringstream input("a\n1\n2\n");
  const auto source = OpenRows("-", {}, input);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(ReadAll(**source, {})->rows.size(), 2U);
  EXPECT_EQ((*source)->size_bytes(), 0);
}

TEST(RowSourceTest, TheFormIsThatOfTheName) {
  EXPECT_EQ(FormOf("rows.jsonl"), RowForm::kJson);
  EXPECT_EQ(FormOf("rows.json"), RowForm::kJson);
  EXPECT_EQ(FormOf("rows.csv"), RowForm::kCsv);
  EXPECT_EQ(FormOf("-"), RowForm::kCsv);
}

}  // namespace
}  // namespace millrace::cli
