// The twelve files of csv-spectrum, each against the JSON that comes with it.

#include <fstream>
#include <sstream>
#include <string>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "tests/unit/common/csv/records.h"

namespace millrace::csv {
namespace {

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

}  // namespace
}  // namespace millrace::csv
