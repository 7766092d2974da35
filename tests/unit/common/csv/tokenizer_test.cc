#include "common/csv/tokenizer.h"

#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/status/status.h"
#include "tests/support/csv_reading.h"

namespace millrace::csv {
namespace {

using testing::ElementsAre;

// What reading `text` fails with, after checking that no chunking changes it.
absl::Status ErrorOf(std::string_view text, TokenizerOptions options = {}) {
  const Reading whole = Read(text, text.size() + 1, options);
  options.parse_bytes = 1;  // tries after each chunk
  for (const std::size_t chunk_bytes : {1U, 2U, 3U, 7U}) {
    const Reading chunked = Read(text, chunk_bytes, options);
    EXPECT_EQ(chunked.status, whole.status) << chunk_bytes;
    EXPECT_EQ(chunked.rows, whole.rows) << chunk_bytes;
  }
  return whole.status;
}

void ExpectError(const absl::Status& status, std::string_view message, std::string_view fix) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), message);
  EXPECT_THAT(Fix(status), testing::HasSubstr(std::string(fix)));
}

TEST(TokenizerTest, ReadsQuotesLineEndsAndDelimitersInsideQuotes) {
  const Reading reading = Read("a,\"b,1\",\"c\r\n\"\"d\"\"\"\r\n\"\",x,\"\"\"\"\n");

  ASSERT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_THAT(reading.rows,
              ElementsAre(ElementsAre("a", "b,1", "c\r\n\"d\""), ElementsAre("", "x", "\"")));
  EXPECT_THAT(reading.lines, ElementsAre(1, 3));
}

TEST(TokenizerTest, WaitsForTheWholeByteOrderMark) {
  const Reading reading = Read(
      "\xEF\xBB\xBF"
      "a\n",
      1,
      {.parse_bytes = 1});
  EXPECT_EQ(reading.rows, Rows({{"a"}})) << reading.status;
}

TEST(TokenizerTest, PassesOverAByteOrderMarkAndEmptyLines) {
  const Reading reading = Read("\xEF\xBB\xBFx,y\n\n\r\n1,2\n\n");

  ASSERT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_THAT(reading.rows, ElementsAre(ElementsAre("x", "y"), ElementsAre("1", "2")));
  EXPECT_THAT(reading.lines, ElementsAre(1, 4));
}

TEST(TokenizerTest, KeepsEmptyCellsAtBothEnds) {
  const Reading reading = Read(",,\n,x,", 1);

  ASSERT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_THAT(reading.rows, ElementsAre(ElementsAre("", "", ""), ElementsAre("", "x", "")));
}

TEST(TokenizerTest, AnEmptyFileHasNoRecords) {
  const Reading reading = Read("");

  EXPECT_TRUE(reading.status.ok());
  EXPECT_TRUE(reading.rows.empty());
}

TEST(TokenizerTest, RefusesRaggedRowsWhereTheyDiffer) {
  ExpectError(ErrorOf("a,b,c\n1,2,3\n4,5\n"),
              "t.csv:3:4: a row must have 3 cells as the first, found 2",
              "add the missing cells");
  ExpectError(ErrorOf("a,b\n1,2\n3,ä,5\r\n"),
              "t.csv:3:5: a row must have 2 cells as the first, found 3",
              "remove the extra cells");
}

TEST(TokenizerTest, RefusesALoneQuote) {
  ExpectError(ErrorOf("a,b\n1,\"x\n2,y\n"),
              "t.csv:2:3: a cell that begins with a quote must end with one, found the end of the "
              "file",
              "close the quote");
  ExpectError(ErrorOf("a,b\n1,5\" pipe\n"),
              "t.csv:2:4: a quote inside a cell needs its pair, found a lone quote",
              "double each quote");
  ExpectError(ErrorOf("a,b\n\"x\ny\"z,1\n"),
              "t.csv:3:3: a delimiter or the end of the line must follow a closing quote, found "
              "text",
              "double each quote");
}

TEST(TokenizerTest, RefusesNul) {
  ExpectError(ErrorOf(std::string_view("a,b\n1,x\0y\n", 10)),
              "t.csv:2:4: expected text, found a NUL byte",
              "UTF-16");
  ExpectError(ErrorOf(std::string_view("a,b\n1,\"x\0y\"\n", 12)),
              "t.csv:2:5: expected text, found a NUL byte",
              "UTF-16");
}

TEST(TokenizerTest, RefusesBytesThatAreNotUtf8) {
  ExpectError(ErrorOf("a,b\nä,\xFFz\n"),
              "t.csv:2:3: expected UTF-8, found byte 0xFF",
              "save the file as UTF-8");
  ExpectError(ErrorOf("a,b\n1,\xE2\x82"),
              "t.csv:2:3: expected UTF-8, found byte 0xE2",
              "save the file as UTF-8");
}

TEST(TokenizerTest, RefusesACarriageReturnAlone) {
  ExpectError(ErrorOf("a,b\r1,2\r"),
              "t.csv:1:4: a line must end with LF or CRLF, found a carriage return alone",
              "line ends");
  ExpectError(ErrorOf("a,b\n1,2\r"),
              "t.csv:2:4: a line must end with LF or CRLF, found a carriage return alone",
              "line ends");
}

// Goal: of two errors the one that comes first in the file is told, whatever the chunks are.
TEST(TokenizerTest, TellsTheFirstOfTwoErrors) {
  EXPECT_THAT(std::string(Message(ErrorOf("a,b\n1\n2,\xFF\n"))), testing::StartsWith("t.csv:2:2"));
  EXPECT_THAT(std::string(Message(ErrorOf("a,b\n1,\xFF\n2\n"))), testing::StartsWith("t.csv:2:3"));
}

TEST(TokenizerTest, HoldsTheLimitOfColumns) {
  const TokenizerOptions options{.limits = {.columns_max = 3}};

  EXPECT_TRUE(Read("1,2\n", 100, options).status.ok());
  EXPECT_TRUE(Read("1,2,3\n", 100, options).status.ok());
  ExpectError(ErrorOf("1,2,3,4\n", options),
              "t.csv:1:7: a row has at most 3 cells, found more",
              "delimiter");
}

TEST(TokenizerTest, HoldsTheLimitOfACell) {
  const TokenizerOptions options{.limits = {.cell_bytes_max = 5}};

  EXPECT_TRUE(Read("1,abcd\n", 100, options).status.ok());
  EXPECT_TRUE(Read("1,abcde\n", 100, options).status.ok());
  EXPECT_TRUE(Read("1,\"abc\"\n", 100, options).status.ok());
  ExpectError(ErrorOf("1,abcdef\n", options),
              "t.csv:1:3: a cell has at most 5 bytes, found more",
              "never closed");
  ExpectError(ErrorOf("1,\"abcd\"\n", options),
              "t.csv:1:3: a cell has at most 5 bytes, found more",
              "never closed");
  ExpectError(ErrorOf("1,\"abcdefgh\xFF", options),
              "t.csv:1:3: a cell has at most 5 bytes, found more",
              "never closed");
}

TEST(TokenizerTest, HoldsTheLimitOfARow) {
  const TokenizerOptions options{.limits = {.row_bytes_max = 6}};

  EXPECT_TRUE(Read("12,34\n", 100, options).status.ok());
  EXPECT_TRUE(Read("12,345\n", 100, options).status.ok());
  ExpectError(ErrorOf("1,2\n12,3456\n", options),
              "t.csv:2:1: a row has at most 6 bytes, found more",
              "never closed");
}

TEST(TokenizerTest, HoldsTheLimitsByDefaultOnLargeFiles) {
  const std::string cell(std::size_t{1} << 20, 'x');

  EXPECT_TRUE(Read(cell + ",1\n").status.ok());
  ExpectError(Read(cell + "x,1\n").status,
              "t.csv:1:1: a cell has at most 1 MiB, found more",
              "never closed");
}

TEST(TokenizerTest, ReturnsTheSinksErrorAsItCame) {
  Tokenizer tokenizer("t.csv", {});
  const auto refuse = [](const Record&) -> absl::Status { return Cancelled("enough"); };

  ASSERT_TRUE(tokenizer.Feed("a,b\n", refuse).ok());
  EXPECT_EQ(tokenizer.Finish(refuse).code(), absl::StatusCode::kCancelled);
}

TEST(TokenizerTest, KnowsWhereEachCellBegins) {
  Tokenizer tokenizer("t.csv", {});
  Position position;
  const auto look = [&](const Record& record) {
    position = record.PositionOf(2);
    return absl::OkStatus();
  };

  ASSERT_TRUE(tokenizer.Feed("\"a\"\"\nb\",\"ä\",c\n", look).ok());
  ASSERT_TRUE(tokenizer.Finish(look).ok());
  EXPECT_EQ(position.line, 2);
  EXPECT_EQ(position.column, 8);
}

// `cell` as a file has it: quoted where it must be and, by chance, where it need not.
std::string Written(const std::string& cell, bool is_alone, Random& random) {
  const bool needed =
      cell.find_first_of(";\"\r\n") != std::string::npos || (is_alone && cell.empty());
  if (!needed && random.Below(3) > 0) {
    return cell;
  }
  std::string quoted = "\"";
  for (const char c : cell) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

// Rows with line ends of both kinds.
std::string Write(const Rows& rows, Random& random) {
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? "" : ";";
      text += Written(row[i], row.size() == 1, random);
    }
    text += random.Below(2) == 0 ? "\n" : "\r\n";
  }
  return text;
}

std::string RandomCell(Random& random) {
  const std::vector<std::string> parts_of_cells = {
      "a", "7", " ", "ä", "€", "𝄞", ";", "\"", "\r", "\n", "\r\n", "\"\"", "long text of a cell"};
  std::string cell;
  for (std::uint64_t parts = random.Below(6); parts > 0; --parts) {
    cell += parts_of_cells[random.Below(parts_of_cells.size())];
  }
  return cell;
}

// Goal: what was written is read back, in chunks of any size. Method: random tables of awkward
// cells, written with random quoting and line ends.
TEST(TokenizerTest, ReadsBackRandomTablesInChunksOfAnySize) {
  Random random(11);
  for (int round = 0; round < 400; ++round) {
    Rows rows(1 + random.Below(40));
    const std::size_t width = 1 + random.Below(7);
    for (auto& row : rows) {
      for (std::size_t i = 0; i < width; ++i) {
        row.push_back(RandomCell(random));
      }
    }
    const std::string text = Write(rows, random);
    const std::size_t chunk_bytes = 1 + random.Below(90);
    const Reading reading = Read(text, chunk_bytes, {.delimiter = ';', .parse_bytes = 1});

    ASSERT_TRUE(reading.status.ok()) << reading.status;
    ASSERT_EQ(reading.rows, rows) << "round " << round << ", chunks of " << chunk_bytes;
  }
}

// Goal: records that span the tokenizer's buffer, and the work of finding their end, change
// nothing.
TEST(TokenizerTest, ReadsLongRecordsInChunksOfAnySize) {
  Random random(12);
  Rows rows;
  for (int i = 0; i < 40; ++i) {
    std::string text(random.Below(60'000), 'x');
    text += "\n\"";
    rows.push_back({text, RandomCell(random), text});
  }
  const std::string text = Write(rows, random);
  for (const std::size_t chunk_bytes : {997U, 65'536U, 5'000'000U}) {
    const Reading reading = Read(text, chunk_bytes, {.delimiter = ';'});

    ASSERT_TRUE(reading.status.ok()) << reading.status;
    EXPECT_EQ(reading.rows, rows) << chunk_bytes;
  }
}

// Goal: random bytes never crash the reader, and give the same in any chunks.
TEST(TokenizerTest, RandomBytesGiveTheSameInAnyChunks) {
  Random random(13);
  constexpr std::string_view kBytes = "ab1,,,\"\"\n\n\r\xC3\xA4\xFF\0";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint64_t bytes = random.Below(60); bytes > 0; --bytes) {
      text += kBytes[random.Below(kBytes.size() + 1)];
    }
    TokenizerOptions options{
        .same_width = random.Below(2) == 0,
        .limits = {.columns_max = 5, .cell_bytes_max = 9, .row_bytes_max = 14}};
    const Reading whole = Read(text, 1000, options);
    options.parse_bytes = 1;
    const Reading chunked = Read(text, 1 + random.Below(5), options);

    ASSERT_EQ(chunked.status, whole.status) << round;
    ASSERT_EQ(chunked.rows, whole.rows) << round;
  }
}

// The twelve files of csv-spectrum, each against the JSON that comes with it.

std::string FileText(const std::string& path) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/tests/data/csv_acid/" + path,
                     std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Rows under a header, as JSON's list of objects.
google::protobuf::ListValue AsObjects(const Rows& rows) {
  google::protobuf::ListValue list;
  for (std::size_t row = 1; row < rows.size(); ++row) {
    auto& object = *list.add_values()->mutable_struct_value()->mutable_fields();
    for (std::size_t cell = 0; cell < rows[row].size(); ++cell) {
      object[rows[0][cell]].set_string_value(rows[row][cell]);
    }
  }
  return list;
}

class AcidTest : public testing::TestWithParam<const char*> {};

TEST_P(AcidTest, ReadsWhatTheJsonSays) {
  const std::string name = GetParam();
  const Reading reading = Read(FileText("csvs/" + name + ".csv"));
  google::protobuf::ListValue expected;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(FileText("json/" + name + ".json"), &expected)
          .ok());

  ASSERT_TRUE(reading.status.ok()) << reading.status;
  ASSERT_GE(reading.rows.size(), 2U);
  EXPECT_EQ(AsObjects(reading.rows).DebugString(), expected.DebugString());
}

INSTANTIATE_TEST_SUITE_P(Files,
                         AcidTest,
                         testing::Values("comma_in_quotes",
                                         "empty",
                                         "empty_crlf",
                                         "escaped_quotes",
                                         "json",
                                         "newlines",
                                         "newlines_crlf",
                                         "quotes_and_newlines",
                                         "simple",
                                         "simple_crlf",
                                         "utf8"));

// This file's JSON is wrong upstream: an object instead of a list, and another telephone number.
TEST(AcidLocationTest, ReadsQuotesInsideUnquotedCells) {
  const Reading reading = Read(FileText("csvs/location_coordinates.csv"));
  google::protobuf::Struct expected;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  FileText("json/location_coordinates.json"), &expected)
                  .ok());

  ASSERT_TRUE(reading.status.ok()) << reading.status;
  ASSERT_EQ(reading.rows.size(), 2U);
  for (const std::size_t cell : {1U, 2U, 3U}) {
    EXPECT_EQ(reading.rows[1][cell], expected.fields().at(reading.rows[0][cell]).string_value());
  }
}

TEST(TokenizerTest, AStretchOfAFileGoesOnWithItsLinesAndWidth) {
  const TokenizerOptions stretch = {.stretch = {.first_line = 40, .width = 2}};
  EXPECT_EQ(Read("1,2\n", 5, stretch).status, absl::OkStatus());
  ExpectError(ErrorOf("1,2\n3\n", stretch),
              "t.csv:41:2: a row must have 2 cells as the first, found 1",
              "add the missing cells");
  ExpectError(ErrorOf("1\n", stretch),
              "t.csv:40:2: a row must have 2 cells as the first, found 1",
              "add the missing cells");
  EXPECT_EQ(Read("\xEF\xBB\xBF"
                 "1,2\n",
                 9,
                 stretch)
                .rows.size(),
            1U)
      << "a byte order mark that is not at the start of its file is text";
}

}  // namespace
}  // namespace millrace::csv
