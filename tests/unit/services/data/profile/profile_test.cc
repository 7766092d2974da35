#include "services/data/profile/profile.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/common/features/table_groups.h"

namespace millrace::data {
namespace {

TEST(ProfileTest, MeasuresEveryRowAndColumnInTheSchemasOrder) {
  features::Table table;
  for (const char* name : {"b", "a"}) {
    table.schema.add_columns()->set_name(name);
  }
  table.schema.mutable_columns(0)->set_type(schema::v1::COLUMN_TYPE_REAL);
  table.schema.mutable_columns(1)->set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  table.columns.resize(2);
  table.columns[0] = {.numbers = {1, 2, 2}, .codes = {}, .dictionary = {}, .valid = {1, 1, 1}};
  table.columns[1] = {.numbers = {}, .codes = {0, 0, 0}, .dictionary = {"x"}, .valid = {1, 1, 0}};
  const features::TableGroups groups(table);
  const features::RowMarks marks = {schema::v1::SPLIT_TRAIN, schema::v1::SPLIT_TEST, 0};
  std::vector<statistics::ColumnSummary> columns;
  for (std::size_t c = 0; c < 2; ++c) {
    features::ColumnReader reader(groups, c, {});
    columns.push_back(*statistics::Summarize(reader, marks));
  }
  const v1::GetStatisticsResponse joined = JoinStatistics(marks, std::move(columns));
  const schema::v1::Statistics& statistics = joined.raw();

  EXPECT_EQ(statistics.row_count(), 3);
  ASSERT_EQ(statistics.columns_size(), 2);
  EXPECT_EQ(statistics.columns(0).column(), "b");
  EXPECT_EQ(statistics.columns(0).distinct_count(), 2);
  EXPECT_EQ(statistics.columns(1).missing_count(), 1);
  EXPECT_EQ(statistics.columns(1).top_values(0).count(), 2);
  EXPECT_EQ(joined.train().row_count(), 1);
  EXPECT_EQ(joined.train().columns(0).numbers().maximum(), 1);
  EXPECT_EQ(joined.validation().row_count(), 0);
  EXPECT_EQ(joined.test().columns(0).numbers().maximum(), 2);
}

}  // namespace
}  // namespace millrace::data
