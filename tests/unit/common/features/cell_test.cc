#include "common/features/cell.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/status/status.h"

namespace millrace::features {
namespace {

using schema::v1::ColumnType;
using schema::v1::Value;

CellParser Parser(ColumnType type) {
  schema::v1::Column column;
  column.set_name("age");
  column.set_type(type);
  if (type == schema::v1::COLUMN_TYPE_BOOLEAN) {
    column.set_true_spelling("Yes");
    column.set_false_spelling("No");
  }
  return {column, MissingSpellings(DefaultMissingSpellings())};
}

Value Text(std::string text) {
  Value value;
  value.set_text(std::move(text));
  return value;
}

Value Number(double number) {
  Value value;
  value.set_number(number);
  return value;
}

Value Boolean(bool yes) {
  Value value;
  value.set_boolean(yes);
  return value;
}

void ExpectRefused(const absl::StatusOr<Cell>& cell, std::string_view message) {
  EXPECT_EQ(cell.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(cell.status()), message);
}

TEST(TrimTest, TakesSpacesAndTabsFromTheEndsOnly) {
  EXPECT_EQ(Trim(" \t a b\t "), "a b");
  EXPECT_EQ(Trim(" \t "), "");
  EXPECT_EQ(Trim("\na\n"), "\na\n");
}

TEST(MissingSpellingsTest, TheUsualOnesAreFoundInAnyCase) {
  const MissingSpellings missing(DefaultMissingSpellings());

  for (const char* text :
       {"", "NA", "na", "N/A", "n/a", "NaN", "nan", "NULL", "None", "Missing", "?", "-"}) {
    EXPECT_TRUE(missing.Contains(text)) << text;
  }
  for (const char* text : {"0", "N", "nap", "NA.", "--", "nil", "-1", "ä"}) {
    EXPECT_FALSE(missing.Contains(text)) << text;
  }
}

TEST(MissingSpellingsTest, OwnOnesReplaceTheUsualOnesButNotTheEmptyText) {
  const MissingSpellings missing({" -999 ", ""});

  EXPECT_TRUE(missing.Contains("-999"));
  EXPECT_TRUE(missing.Contains(""));
  EXPECT_FALSE(missing.Contains("NA"));
}

TEST(ParseNumberTest, ReadsTheNearestDouble) {
  const std::vector<std::pair<std::string, double>> cases = {
      {"0", 0.0},
      {"+7", 7.0},
      {"-12.5", -12.5},
      {".5", 0.5},
      {"5.", 5.0},
      {"1e3", 1000.0},
      {"1E-2", 0.01},
      {"0.1", 0.1},
      {"9007199254740993", 9007199254740992.0},
      {"4.9e-324", 4.9e-324},
      {"1e-400", 0.0},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()}};
  for (const auto& [text, expected] : cases) {
    double number = -1;
    EXPECT_TRUE(ParseNumber(text, number)) << text;
    EXPECT_EQ(number, expected) << text;
  }
}

TEST(ParseNumberTest, RefusesEverythingElseAndLeavesTheNumberAlone) {
  for (const char* text :
       {"",    "-",         "+",   ".",      "e5",    "1e",  "1,5", "1 2", " 1",    "1 ", "0x10",
        "inf", "-Infinity", "nan", "nan(1)", "1e400", "--1", "+-1", "++1", "1_000", "١"}) {
    double number = -1;
    EXPECT_FALSE(ParseNumber(text, number)) << text;
    EXPECT_EQ(number, -1) << text;
  }
}

TEST(SpellsNonFiniteTest, KnowsInfinityNanAndNumbersThatAreTooLarge) {
  for (const char* text :
       {"inf", "-inf", "+inf", "Infinity", "NaN", "-nan", "nan(0x1)", "1e400", "-1e400"}) {
    EXPECT_TRUE(SpellsNonFinite(text)) << text;
  }
  for (const char* text : {"", "1", "1e-400", "info", "nano", "infinity war"}) {
    EXPECT_FALSE(SpellsNonFinite(text)) << text;
  }
}

TEST(ParseTimestampTest, CountsSecondsSince1970) {
  const std::vector<std::pair<std::string, double>> cases = {
      {"1970-01-01", 0},
      {"1970-01-02T00:00:01", 86401},
      {"1969-12-31 23:59:59Z", -1},
      {"2000-02-29", 951782400},
      {"2024-02-29T13:05", 1709211900},
      {"2024-02-29T13:05:07.25Z", 1709211907.25},
      {"2024-02-29T13:05:07+01:00", 1709208307},
      {"2024-02-29T13:05:07-0130", 1709217307},
      {"2024-02-29T13:05:07+01", 1709208307},
      {"0000-01-01", -62167219200.0},
      {"9999-12-31", 253402214400.0}};
  for (const auto& [text, expected] : cases) {
    double seconds = -1;
    EXPECT_TRUE(ParseTimestamp(text, seconds)) << text;
    EXPECT_EQ(seconds, expected) << text;
  }
}

// Goal: the short way to a number gives the very bits of the long one. Method: random decimals,
// with and without sign and fraction, beside std::from_chars.
TEST(ParseNumberTest, PlainDecimalsAreTheNearestDoubles) {
  Random random(4);
  for (int round = 0; round < 100'000; ++round) {
    std::string text = random.Below(2) == 0 ? "-" : "";
    const std::uint64_t digits = 1 + random.Below(18);
    const std::uint64_t point = random.Below(digits + 1);
    for (std::uint64_t i = 0; i < digits; ++i) {
      text += i == point ? "." : "";
      text += static_cast<char>('0' + random.Below(10));
    }
    double expected = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), expected);
    ASSERT_EQ(result.ptr, text.data() + text.size()) << text;
    double number = 0;
    ASSERT_TRUE(ParseNumber(text, number)) << text;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(number), std::bit_cast<std::uint64_t>(expected)) << text;
  }
}

TEST(TimestampTextTest, IsIso8601InUtc) {
  std::string scratch;
  EXPECT_EQ(TimestampText(0, scratch), "1970-01-01T00:00:00Z");
  EXPECT_EQ(TimestampText(1'709'211'907.5, scratch), "2024-02-29T13:05:07.5Z");
  EXPECT_EQ(TimestampText(-1, scratch), "1969-12-31T23:59:59Z");
  EXPECT_EQ(TimestampText(-62'167'219'200.0, scratch), "0000-01-01T00:00:00Z");
}

// Goal: every time reads back as it was, those that a zone moved out of the years too.
TEST(TimestampTextTest, ReadsBackAsItWas) {
  std::vector<double> times = {
      -62'167'219'201.0, -62'167'305'000.5, 253'402'300'800.0, 253'402'386'000.25};
  Random random(6);
  for (int i = 0; i < 20'000; ++i) {
    const double whole = static_cast<double>(random.Below(315'569'520'000)) - 62'167'219'200.0;
    times.push_back(whole + static_cast<double>(random.Below(1'000'000)) / 1e6);
    times.push_back(whole);
  }
  std::string scratch;
  for (const double time : times) {
    double read = 0;
    ASSERT_TRUE(ParseTimestamp(TimestampText(time, scratch), read)) << scratch;
    ASSERT_EQ(read, time) << scratch;
  }
}

TEST(TimestampTextTest, WritesTheLastSecondThatCanBeRead) {
  double seconds = 0;
  ASSERT_TRUE(ParseTimestamp("9999-12-31T23:59:59.999999-2359", seconds));
  std::string scratch;
  double read = 0;
  EXPECT_TRUE(ParseTimestamp(TimestampText(seconds, scratch), read)) << scratch;
  EXPECT_EQ(read, seconds);
}

TEST(ParseTimestampTest, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "2024",
                           "2024-02",
                           "20240229",
                           "2023-02-29",
                           "1900-02-29",
                           "2024-13-01",
                           "2024-00-10",
                           "2024-01-00",
                           "2024-04-31",
                           "2024-1-1",
                           "2024-01-01T",
                           "2024-01-01T24:00",
                           "2024-01-01T10:60",
                           "2024-01-01T10:10:60",
                           "2024-01-01T10",
                           "2024-01-01T10:10:10.",
                           "2024-01-01T10:10X",
                           "2024-01-01T10:10+1",
                           "2024-01-01T10:10+24:00",
                           "2024-01-01T10:10+01:",
                           "2024-01-01  10:10",
                           "-2024-01-01"}) {
    double seconds = -1;
    EXPECT_FALSE(ParseTimestamp(text, seconds)) << text;
  }
}

TEST(ExcerptTest, CutsLongTextsBetweenCharacters) {
  EXPECT_EQ(Excerpt("short"), "short");
  EXPECT_EQ(Excerpt(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(Excerpt(std::string(63, 'x') + "ä" + "y"), std::string(63, 'x') + "…");
}

TEST(CellParserTest, MissingMeansTheSameInAFileAndInARequest) {
  for (const ColumnType type : {schema::v1::COLUMN_TYPE_BOOLEAN,
                                schema::v1::COLUMN_TYPE_INTEGER,
                                schema::v1::COLUMN_TYPE_REAL,
                                schema::v1::COLUMN_TYPE_CATEGORY,
                                schema::v1::COLUMN_TYPE_TIMESTAMP,
                                schema::v1::COLUMN_TYPE_TEXT}) {
    std::string scratch;
    const CellParser parser = Parser(type);

    EXPECT_EQ(parser.Parse(" N/A ")->kind, Cell::Kind::kMissing);
    EXPECT_EQ(parser.Parse(Text(" N/A "), scratch)->kind, Cell::Kind::kMissing);
    EXPECT_EQ(parser.Parse(Value(), scratch)->kind, Cell::Kind::kMissing);
  }
}

TEST(CellParserTest, ReadsTextsByTheColumnsType) {
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_BOOLEAN).Parse("yes")->number, 1);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_BOOLEAN).Parse("NO")->number, 0);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse(" 42 ")->number, 42);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse("1e3")->number, 1000);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_REAL).Parse("-0.5")->number, -0.5);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_TIMESTAMP).Parse("1970-01-02")->number, 86400);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_CATEGORY).Parse(" red ")->text, "red");
}

TEST(CellParserTest, SaysWhatTheColumnIsAndWhatWasFound) {
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse("ten"),
                "column 'age' is an integer in [-2^53, 2^53], found 'ten'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse("1.5"),
                "column 'age' is an integer in [-2^53, 2^53], found '1.5'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse("9007199254740994"),
                "column 'age' is an integer in [-2^53, 2^53], found '9007199254740994'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_REAL).Parse("inf"),
                "column 'age' is a finite number, found 'inf'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_BOOLEAN).Parse("maybe"),
                "column 'age' is 'Yes' or 'No', found 'maybe'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_TIMESTAMP).Parse("yesterday"),
                "column 'age' is an ISO 8601 time, found 'yesterday'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_REAL).Parse(std::string(100, 'x')),
                "column 'age' is a finite number, found '" + std::string(64, 'x') + "…'");
}

TEST(CellParserTest, TakesAClientsNumberWhereItFits) {
  std::string scratch;

  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_REAL).Parse(Number(1.5), scratch)->number, 1.5);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse(Number(3), scratch)->number, 3);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_BOOLEAN).Parse(Number(1), scratch)->number, 1);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_TIMESTAMP).Parse(Number(60), scratch)->number, 60);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_CATEGORY).Parse(Number(3), scratch)->text, "3");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse(Number(3.5), scratch),
                "column 'age' is an integer in [-2^53, 2^53], found '3.5'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_BOOLEAN).Parse(Number(2), scratch),
                "column 'age' is 'Yes' or 'No', found '2'");
}

TEST(CellParserTest, RefusesNumbersThatAreNotFinite) {
  std::string scratch;
  for (const ColumnType type : {schema::v1::COLUMN_TYPE_REAL,
                                schema::v1::COLUMN_TYPE_INTEGER,
                                schema::v1::COLUMN_TYPE_TIMESTAMP,
                                schema::v1::COLUMN_TYPE_CATEGORY}) {
    for (const double number : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      const absl::Status status = Parser(type).Parse(Number(number), scratch).status();

      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(Message(status)), testing::HasSubstr("column 'age' is "));
    }
  }
}

TEST(CellParserTest, TakesAClientsBooleanForNumbersAndRefusesItForTexts) {
  std::string scratch;

  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_BOOLEAN).Parse(Boolean(true), scratch)->number, 1);
  EXPECT_EQ(Parser(schema::v1::COLUMN_TYPE_INTEGER).Parse(Boolean(false), scratch)->number, 0);
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_CATEGORY).Parse(Boolean(true), scratch),
                "column 'age' is a category, found 'the boolean true'");
  ExpectRefused(Parser(schema::v1::COLUMN_TYPE_TIMESTAMP).Parse(Boolean(true), scratch),
                "column 'age' is an ISO 8601 time, found 'the boolean true'");
}

}  // namespace
}  // namespace millrace::features
