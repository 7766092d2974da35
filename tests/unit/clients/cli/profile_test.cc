#include "clients/cli/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/spelling.h"

namespace millrace::cli {
namespace {

TEST(ProfileTest, EachColumnHasALineWithItsDistribution) {
  data::v1::DatasetVersion version;
  auto& age = *version.mutable_schema()->add_columns();
  age.set_name("age");
  age.set_type(schema::v1::COLUMN_TYPE_INTEGER);
  schema::v1::Statistics statistics;
  auto& numbers = *statistics.add_columns();
  numbers.set_column("age");
  numbers.set_count(200);
  numbers.set_missing_count(3);
  numbers.set_distinct_count(70);
  numbers.set_distinct_estimated(true);
  numbers.mutable_numbers()->set_minimum(18);
  numbers.mutable_numbers()->set_mean(54.25);
  numbers.mutable_numbers()->set_maximum(91);
  numbers.mutable_numbers()->set_standard_deviation(7);
  for (const int rows : {1, 8, 4}) {
    numbers.mutable_numbers()->add_histogram(rows);
  }
  auto& texts = *statistics.add_columns();
  texts.set_column("smoker");
  texts.set_count(200);
  for (const char* const value : {"yes", "no", "once", "never"}) {
    auto& top = *texts.add_top_values();
    top.set_value(value);
    top.set_count(50);
  }
  EXPECT_EQ(ProfileTable(version, statistics, TableStyle(), /*utf8=*/true),
            "COLUMN  TYPE     MISSING  DISTINCT  MINIMUM   MEAN  MAXIMUM  DISTRIBUTION\n"
            "age     integer    1.5 %       ~70       18  54.25       91  ▁█▄\n"
            "smoker  -            0 %         0        -      -        -  yes 25 %, no 25 %, once "
            "25 %, ...\n");
  EXPECT_THAT(ProfileTable(version, statistics, TableStyle{.wide = true}, /*utf8=*/false),
              testing::HasSubstr("DEVIATION"));
  EXPECT_THAT(ProfileTable(version, statistics, TableStyle{.piped = true}, /*utf8=*/true),
              testing::EndsWith("\tyes 25 %, no 25 %, once 25 %, never 25 %\n"));
}

}  // namespace
}  // namespace millrace::cli
