#include "services/data/import/import.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "tests/unit/common/features/table_groups.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/data/import/staged_text.h"

namespace millrace::data {
namespace {

using schema::v1::ColumnType;
using testing::ElementsAre;
using testing::HasSubstr;

// An imported file, put together.
struct Whole {
  features::Table table;
  std::vector<std::int64_t> lines;
  v1::ImportOptions options;
};

absl::StatusOr<Whole> Imported(const std::string& text,
                               v1::ImportOptions options = {},
                               std::int64_t block_bytes = BlockSizes::kBlockBytes) {
  const storage::TemporaryFolder folder;
  v1::ImportHeader header;
  header.set_file_name("t.csv");
  *header.mutable_options() = std::move(options);
  const ImportMeans means{.scratch = {.files = storage::PosixFileSystem(), .folder = folder.path()},
                          .threads = 2,
                          .block_bytes = block_bytes};
  Whole whole;
  {
    auto imported = ImportFile(header, StagedText(text), means, {});
    if (imported.ok()) {
      whole.table = features::Gathered(*imported->rows);
      for (std::int64_t row = 0; row < imported->rows->row_count(); ++row) {
        whole.lines.push_back(*imported->rows->LineOf(row));
      }
      whole.options = imported->options;
    }
    if (!imported.ok()) {
      EXPECT_THAT(*storage::PosixFileSystem().List(folder.path()), testing::IsEmpty());
      return imported.status();
    }
  }
  EXPECT_THAT(*storage::PosixFileSystem().List(folder.path()), testing::IsEmpty())
      << "no temporary file outlives the import";
  return whole;
}

std::string FileText(const std::string& name) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/tests/data/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<ColumnType> Types(const Whole& imported) {
  std::vector<ColumnType> types;
  for (const auto& column : imported.table.schema.columns()) {
    types.push_back(column.type());
  }
  return types;
}

void ExpectError(const absl::Status& status, std::string_view message, const std::string& fix) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), message);
  EXPECT_THAT(Fix(status), HasSubstr(fix));
}

TEST(ImportTest, TypesEveryColumnAndKeepsTheLines) {
  const auto imported = Imported(
      "age;colour;height;seen;member\n"
      "41;red;1.5;2024-01-01;yes\n"
      ";\"bl\nue\";n/a;;no\n"
      "7;red;2;2024-01-02T10:00Z;yes\n");

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(Types(*imported),
              ElementsAre(schema::v1::COLUMN_TYPE_INTEGER,
                          schema::v1::COLUMN_TYPE_CATEGORY,
                          schema::v1::COLUMN_TYPE_REAL,
                          schema::v1::COLUMN_TYPE_TIMESTAMP,
                          schema::v1::COLUMN_TYPE_BOOLEAN));
  EXPECT_THAT(imported->lines, ElementsAre(2, 3, 5));
  EXPECT_THAT(imported->table.columns[0].numbers, ElementsAre(41, 0, 7));
  EXPECT_THAT(imported->table.columns[0].valid, ElementsAre(1, 0, 1));
  EXPECT_THAT(imported->table.columns[1].dictionary, ElementsAre("red", "bl\nue"));
  EXPECT_THAT(imported->table.columns[3].numbers, ElementsAre(1704067200, 0, 1704189600));
  EXPECT_THAT(imported->table.columns[4].numbers, ElementsAre(1, 0, 1));
  EXPECT_EQ(imported->table.schema.columns(4).true_spelling(), "yes");
}

TEST(ImportTest, FillsInWhatItFoundOut) {
  const auto imported = Imported("age;colour\n41;red\n");

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->options.delimiter(), ";");
  EXPECT_EQ(imported->options.header(), v1::ImportOptions::HEADER_PRESENT);
  EXPECT_EQ(imported->options.missing_spellings_size(), 8);
  EXPECT_EQ(imported->options.column_types().at("age"), schema::v1::COLUMN_TYPE_INTEGER);
  EXPECT_EQ(imported->options.column_types().at("colour"), schema::v1::COLUMN_TYPE_CATEGORY);
}

TEST(ImportTest, ImportingWithWhatItFoundOutGivesTheSameTable) {
  const std::string text = FileText("seattle_weather.csv");
  const auto first = Imported(text);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Imported(text, first->options);
  ASSERT_TRUE(second.ok()) << second.status();

  EXPECT_EQ(Types(*second), Types(*first));
  for (std::size_t c = 0; c < first->table.columns.size(); ++c) {
    EXPECT_EQ(second->table.columns[c].numbers, first->table.columns[c].numbers);
    EXPECT_EQ(second->table.columns[c].codes, first->table.columns[c].codes);
    EXPECT_EQ(second->table.columns[c].dictionary, first->table.columns[c].dictionary);
    EXPECT_EQ(second->table.columns[c].valid, first->table.columns[c].valid);
  }
}

TEST(ImportTest, OptionsOverrideWhatWouldBeDetected) {
  v1::ImportOptions options;
  options.set_delimiter(",");
  options.set_header(v1::ImportOptions::HEADER_ABSENT);
  const auto imported = Imported("a;b,c\n1;2,3\n", options);

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->table.row_count(), 2);
  EXPECT_EQ(imported->table.schema.columns(0).name(), "column_1");
  EXPECT_THAT(imported->table.columns[0].dictionary, ElementsAre("a;b", "1;2"));
}

// Goal: a column is typed by all its cells, not by the first thousands.
TEST(ImportTest, ALateTextLoosensAColumnOfNumbers) {
  std::string text = "n,m\n";
  for (int i = 0; i < 20'000; ++i) {
    text += fmt::format("0{},1\n", i % 5);
  }
  text += "x,1\n";
  const auto imported = Imported(text);

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->table.schema.columns(0).type(), schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_THAT(imported->table.columns[0].dictionary,
              ElementsAre("00", "01", "02", "03", "04", "x"));
  EXPECT_EQ(imported->table.columns[0].size(), 20'001);
  EXPECT_EQ(imported->table.schema.columns(0).reason(), "6 different texts in 20001 values");
}

TEST(ImportTest, AnIdentifierKeepsItsSpelling) {
  std::string text = "id,x\n";
  for (int i = 0; i < 12; ++i) {
    text += fmt::format("00{},0.5\n", 10 + i);
  }
  const auto imported = Imported(text);

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->table.schema.columns(0).type(), schema::v1::COLUMN_TYPE_IDENTIFIER);
  EXPECT_EQ(imported->table.columns[0].dictionary.front(), "0010");
}

TEST(ImportTest, GivenTypesAreObeyed) {
  v1::ImportOptions options;
  (*options.mutable_column_types())["zip"] = schema::v1::COLUMN_TYPE_CATEGORY;
  (*options.mutable_column_types())["flag"] = schema::v1::COLUMN_TYPE_BOOLEAN;
  (*options.mutable_column_types())["n"] = schema::v1::COLUMN_TYPE_REAL;
  const auto imported = Imported("zip,flag,n\n08123,0,1\n10115,1,2\n", options);

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(Types(*imported),
              ElementsAre(schema::v1::COLUMN_TYPE_CATEGORY,
                          schema::v1::COLUMN_TYPE_BOOLEAN,
                          schema::v1::COLUMN_TYPE_REAL));
  EXPECT_THAT(imported->table.columns[0].dictionary, ElementsAre("08123", "10115"));
  EXPECT_THAT(imported->table.columns[1].numbers, ElementsAre(0, 1));
  EXPECT_EQ(imported->table.schema.columns(2).reason(), "as the import's options say");
}

TEST(ImportTest, ACellThatDoesNotFitAGivenTypeIsTold) {
  v1::ImportOptions options;
  (*options.mutable_column_types())["age"] = schema::v1::COLUMN_TYPE_INTEGER;

  ExpectError(Imported("name,age\nä,7\nb,ten\n", options).status(),
              "t.csv:3:3: column 'age' is COLUMN_TYPE_INTEGER by the import's options, found 'ten'",
              "another type");
  (*options.mutable_column_types())["age"] = schema::v1::COLUMN_TYPE_BOOLEAN;
  const absl::Status boolean = Imported("name,age\na,pos\nb,neg\n", options).status();
  EXPECT_EQ(boolean.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(boolean)), HasSubstr("boolean column 'age' must have two words"));
}

TEST(ImportTest, NumbersThatAreNotFiniteAreToldWithTheirPlace) {
  ExpectError(Imported("a,b\n1,2\n3,inf\n4,-inf\n").status(),
              "t.csv:3:3: numbers must be finite in column 'b', found 'inf'",
              "missing spellings");
  ExpectError(Imported("a,b\n1,1e999\n").status(),
              "t.csv:2:3: numbers must be finite in column 'b', found '1e999'",
              "missing spellings");
  v1::ImportOptions options;
  options.add_missing_spellings("-999");
  ExpectError(Imported("a,b\n1,0.5\n-999,NaN\n", options).status(),
              "t.csv:3:6: numbers must be finite in column 'b', found 'NaN'",
              "missing spellings");
  (*options.mutable_column_types())["b"] = schema::v1::COLUMN_TYPE_REAL;
  ExpectError(Imported("a,b\n1,nan\n", options).status(),
              "t.csv:2:3: numbers must be finite in column 'b', found 'nan'",
              "missing spellings");
}

TEST(ImportTest, AWordLikeInfinityAmongTextsIsAText) {
  const auto imported = Imported("a,film\n1,inf\n2,heat\n");

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(imported->table.columns[1].dictionary, ElementsAre("inf", "heat"));
}

TEST(ImportTest, FilesWithoutRowsAreRefused) {
  ExpectError(Imported("").status(),
              "t.csv:1:1: expected a header and rows, found an empty file",
              "at least one row");
  ExpectError(Imported("\xEF\xBB\xBF\n\n").status(),
              "t.csv:1:1: expected a header and rows, found an empty file",
              "at least one row");
  ExpectError(Imported("a,b\n").status(),
              "t.csv:2:1: expected rows below the header, found only the header",
              "header absent");
}

TEST(ImportTest, NamesThatTheFileDoesNotHaveAreTold) {
  v1::ImportOptions options;
  options.set_label("speces");
  ExpectError(Imported(FileText("iris.csv"), options).status(),
              "t.csv:1:1: the label must be one of 5 columns, found 'speces'",
              "did you mean 'species'?");
  options.set_label("price");
  ExpectError(Imported(FileText("iris.csv"), options).status(),
              "t.csv:1:1: the label must be one of 5 columns, found 'price'",
              "its columns are: sepal length (cm), sepal width (cm)");
  options.clear_label();
  options.add_drop_columns("b");
  ExpectError(Imported("a\n1\n", options).status(),
              "t.csv:1:1: a column to drop must be one of 1 columns, found 'b'",
              "its columns are: a");
  options.clear_drop_columns();
  (*options.mutable_column_types())["c"] = schema::v1::COLUMN_TYPE_REAL;
  ExpectError(Imported("a\n1\n", options).status(),
              "t.csv:1:1: a column whose type is given must be one of 1 columns, found 'c'",
              "its columns are: a");
}

TEST(ImportTest, WhatTheTokenizerRefusesIsRefused) {
  ExpectError(Imported("a,b\n1,2\n3\n").status(),
              "t.csv:3:2: a row must have 2 cells as the first, found 1",
              "add the missing cells");
  ExpectError(Imported("a,b\n1,\"2\n").status(),
              "t.csv:2:3: a cell that begins with a quote must end with one, found the end of the "
              "file",
              "close the quote");
  ExpectError(Imported(std::string("a,b\n1,\0\n", 8)).status(),
              "t.csv:2:3: expected text, found a NUL byte",
              "NUL");
  ExpectError(
      Imported("a,b\n1,\xFF\n").status(), "t.csv:2:3: expected UTF-8, found byte 0xFF", "UTF-8");
}

// A file of quotes, line ends and late texts, in which every block may begin anywhere.
std::string AwkwardFile() {
  std::string text = "\xEF\xBB\xBFid,x,note,flag,late\r\n";
  for (int i = 0; i < 400; ++i) {
    text += fmt::format("{},{},\"a \"\"{}\"\", b\n{}\",{},{}\n",
                        1'000 + i,
                        i % 7 == 0 ? "NA" : fmt::format("{}.5", i),
                        i % 50,
                        i % 3 == 0 ? "\n" : "",
                        i % 2 == 0 ? "Yes" : "no",
                        i < 390 ? fmt::format("0{}", i) : "late");
    text += i % 40 == 0 ? "\n" : "";
  }
  return text;
}

void ExpectSame(const Whole& left, const Whole& right) {
  EXPECT_EQ(left.table.schema.DebugString(), right.table.schema.DebugString());
  EXPECT_EQ(left.lines, right.lines);
  ASSERT_EQ(left.table.columns.size(), right.table.columns.size());
  for (std::size_t c = 0; c < left.table.columns.size(); ++c) {
    EXPECT_EQ(left.table.columns[c].numbers, right.table.columns[c].numbers) << c;
    EXPECT_EQ(left.table.columns[c].codes, right.table.columns[c].codes) << c;
    EXPECT_EQ(left.table.columns[c].dictionary, right.table.columns[c].dictionary) << c;
    EXPECT_EQ(left.table.columns[c].valid, right.table.columns[c].valid) << c;
  }
}

TEST(ImportTest, BlocksOfAnySizeGiveTheSame) {
  const auto whole = Imported(AwkwardFile());
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_EQ(whole->table.row_count(), 400);
  EXPECT_THAT(Types(*whole),
              ElementsAre(schema::v1::COLUMN_TYPE_IDENTIFIER,
                          schema::v1::COLUMN_TYPE_REAL,
                          schema::v1::COLUMN_TYPE_CATEGORY,
                          schema::v1::COLUMN_TYPE_BOOLEAN,
                          schema::v1::COLUMN_TYPE_TEXT));
  EXPECT_EQ(whole->table.columns[0].dictionary.front(), "1000") << "read as numbers, kept as texts";
  EXPECT_EQ(whole->table.columns[4].dictionary.front(), "00") << "read again";
  for (const std::int64_t block_bytes : {1, 7, 64, 1'000, 5'000}) {
    const auto blocks = Imported(AwkwardFile(), {}, block_bytes);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    ExpectSame(*blocks, *whole);
  }
}

// Goal: of several errors the one that stands first in the file is told, whichever block is read
// first. Method: two errors, blocks of one row.
TEST(ImportTest, TheFirstErrorInTheFileIsToldFromAnyBlock) {
  std::string text = "a,b\n";
  for (int i = 0; i < 200; ++i) {
    text += i == 120 ? "1\n" : i == 150 ? "1,\"2\n" : "1,2\n";
  }
  for (const std::int64_t block_bytes : {1, 16, 100'000}) {
    ExpectError(Imported(text, {}, block_bytes).status(),
                "t.csv:122:2: a row must have 2 cells as the first, found 1",
                "add the missing cells");
  }
}

TEST(ImportTest, BreastCancerHasTheExpectedSchema) {
  v1::ImportOptions options;
  options.set_label("diagnosis");
  const auto imported = Imported(FileText("breast_cancer.csv"), options);

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->table.row_count(), 569);
  ASSERT_EQ(imported->table.schema.columns_size(), 31);
  int features = 0;
  for (const auto& column : imported->table.schema.columns()) {
    if (column.name() == "diagnosis") {
      EXPECT_EQ(column.role(), schema::v1::COLUMN_ROLE_LABEL);
      EXPECT_EQ(column.type(), schema::v1::COLUMN_TYPE_CATEGORY);
      EXPECT_EQ(column.reason(), "2 different texts in 569 values");
    } else {
      EXPECT_EQ(column.role(), schema::v1::COLUMN_ROLE_FEATURE);
      EXPECT_EQ(column.type(), schema::v1::COLUMN_TYPE_REAL) << column.name();
      ++features;
    }
  }
  EXPECT_EQ(features, 30);
}

TEST(ImportTest, IrisHasTheExpectedSchema) {
  v1::ImportOptions options;
  options.set_label("species");
  const auto imported = Imported(FileText("iris.csv"), options);

  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->table.row_count(), 150);
  EXPECT_THAT(Types(*imported),
              ElementsAre(schema::v1::COLUMN_TYPE_REAL,
                          schema::v1::COLUMN_TYPE_REAL,
                          schema::v1::COLUMN_TYPE_REAL,
                          schema::v1::COLUMN_TYPE_REAL,
                          schema::v1::COLUMN_TYPE_CATEGORY));
  EXPECT_THAT(imported->table.columns[4].dictionary,
              ElementsAre("setosa", "versicolor", "virginica"));
}

}  // namespace
}  // namespace millrace::data
