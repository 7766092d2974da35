#include "common/statistics/summary.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/features/table_groups.h"

namespace millrace::statistics {
namespace {

using schema::v1::ColumnStatistics;
using schema::v1::ColumnType;
using testing::ElementsAre;

features::Table OneColumn(ColumnType type, features::ColumnCells cells) {
  features::Table table;
  schema::v1::Column& column = *table.schema.add_columns();
  column.set_name("c");
  column.set_type(type);
  column.set_true_spelling("yes");
  column.set_false_spelling("no");
  table.columns.push_back(std::move(cells));
  return table;
}

// Of the rows that are kept, in groups of two.
schema::v1::Statistics Summarize(const features::Table& table, const features::RowMarks& marks) {
  const features::TableGroups groups(table, 2);
  features::ColumnReader reader(groups, 0, {});
  const auto summary = statistics::Summarize(reader, marks);
  EXPECT_TRUE(summary.ok()) << summary.status();
  schema::v1::Statistics statistics;
  statistics.set_row_count(summary->of_mark[features::kKept].count());
  *statistics.add_columns() = summary->of_mark[features::kKept];
  return statistics;
}

schema::v1::Statistics Summarize(const features::Table& table) {
  return Summarize(table, features::AllKept(table));
}

TEST(SummaryTest, MeasuresNumbersAndPassesOverMissingOnes) {
  const schema::v1::Statistics statistics = Summarize(OneColumn(
      schema::v1::COLUMN_TYPE_REAL,
      {.numbers = {1, 0, 3, 3, 5}, .codes = {}, .dictionary = {}, .valid = {1, 0, 1, 1, 1}}));
  const ColumnStatistics& column = statistics.columns(0);

  EXPECT_EQ(statistics.row_count(), 5);
  EXPECT_EQ(column.column(), "c");
  EXPECT_EQ(column.count(), 5);
  EXPECT_EQ(column.missing_count(), 1);
  EXPECT_EQ(column.distinct_count(), 3);
  EXPECT_FALSE(column.distinct_estimated());
  EXPECT_EQ(column.numbers().minimum(), 1);
  EXPECT_EQ(column.numbers().maximum(), 5);
  EXPECT_DOUBLE_EQ(column.numbers().mean(), 3);
  EXPECT_DOUBLE_EQ(column.numbers().standard_deviation() * column.numbers().standard_deviation(),
                   2);
  EXPECT_THAT(column.numbers().quantiles(), ElementsAre(1, 1, 1, 3, 3, 5, 5));
  EXPECT_THAT(column.numbers().histogram(), ElementsAre(1, 0, 0, 0, 0, 2, 0, 0, 0, 1));
  EXPECT_EQ(column.top_values_size(), 0);
}

TEST(SummaryTest, CountsTextsMostFrequentFirst) {
  const schema::v1::Statistics statistics = Summarize(OneColumn(schema::v1::COLUMN_TYPE_CATEGORY,
                                                                {.numbers = {},
                                                                 .codes = {0, 1, 1, 2, 0, 0},
                                                                 .dictionary = {"c", "a", "b"},
                                                                 .valid = {1, 1, 1, 1, 1, 0}}));
  const ColumnStatistics& column = statistics.columns(0);

  EXPECT_EQ(column.missing_count(), 1);
  EXPECT_EQ(column.distinct_count(), 3);
  EXPECT_FALSE(column.has_numbers());
  ASSERT_EQ(column.top_values_size(), 3);
  EXPECT_EQ(column.top_values(0).value(), "a") << "as frequent as c, and before it";
  EXPECT_EQ(column.top_values(0).count(), 2);
  EXPECT_EQ(column.top_values(1).value(), "c");
  EXPECT_EQ(column.top_values(2).value(), "b");
}

TEST(SummaryTest, KeepsTenTopValuesOf256Bytes) {
  features::ColumnCells cells;
  for (int i = 0; i < 12; ++i) {
    cells.dictionary.push_back(std::string(255, 'x') + "ä" + std::to_string(i));
    cells.codes.push_back(i);
    cells.valid.push_back(1);
  }
  const ColumnStatistics column =
      Summarize(OneColumn(schema::v1::COLUMN_TYPE_TEXT, std::move(cells))).columns(0);

  ASSERT_EQ(column.top_values_size(), 10);
  EXPECT_EQ(column.top_values(0).value(), std::string(255, 'x')) << "no half a character";
}

TEST(SummaryTest, NamesABooleansValuesAndNoIdentifiers) {
  const ColumnStatistics boolean =
      Summarize(
          OneColumn(schema::v1::COLUMN_TYPE_BOOLEAN,
                    {.numbers = {1, 1, 0}, .codes = {}, .dictionary = {}, .valid = {1, 1, 1}}))
          .columns(0);
  ASSERT_EQ(boolean.top_values_size(), 2);
  EXPECT_EQ(boolean.top_values(0).value(), "yes");
  EXPECT_EQ(boolean.top_values(0).count(), 2);
  EXPECT_EQ(boolean.numbers().maximum(), 1);

  const ColumnStatistics identifier =
      Summarize(OneColumn(schema::v1::COLUMN_TYPE_IDENTIFIER,
                          {.numbers = {}, .codes = {0}, .dictionary = {"r1"}, .valid = {1}}))
          .columns(0);
  EXPECT_EQ(identifier.top_values_size(), 0);
}

TEST(SummaryTest, LooksOnlyAtTheRowsItIsGiven) {
  const features::Table table =
      OneColumn(schema::v1::COLUMN_TYPE_REAL,
                {.numbers = {1, 2, 3}, .codes = {}, .dictionary = {}, .valid = {1, 1, 1}});

  const schema::v1::Statistics some = Summarize(table, features::OnlyKept(table, {1, 2}));
  EXPECT_EQ(some.row_count(), 2);
  EXPECT_EQ(some.columns(0).numbers().minimum(), 2);
  const schema::v1::Statistics none = Summarize(table, features::OnlyKept(table, {}));
  EXPECT_EQ(none.row_count(), 0);
  EXPECT_FALSE(none.columns(0).has_numbers());
}

// Goal: what is told of a column does not depend on the groups, and all of it is the sum of its
// parts. Method: the same 5,000 numbers in groups of 7 and of 4,096, dropped and in three splits.
TEST(SummaryTest, GroupsChangeNothing) {
  features::ColumnCells cells;
  features::RowMarks marks;
  for (int i = 0; i < 5'000; ++i) {
    cells.numbers.push_back((i * 7919) % 5'003 / 7.0);
    cells.valid.push_back(i % 11 == 0 ? 0 : 1);
    marks.push_back(static_cast<std::uint8_t>(i % 4));
  }
  const features::Table table = OneColumn(schema::v1::COLUMN_TYPE_REAL, cells);
  std::vector<std::string> told;
  for (const std::int64_t group_rows : {7, 4'096}) {
    const features::TableGroups groups(table, group_rows);
    features::ColumnReader reader(groups, 0, {});
    const auto summary = statistics::Summarize(reader, marks);
    ASSERT_TRUE(summary.ok()) << summary.status();
    told.push_back(summary->all.DebugString());
    std::int64_t count = 0;
    std::int64_t missing = 0;
    for (const ColumnStatistics& part : summary->of_mark) {
      told.back() += part.DebugString();
      count += part.count();
      missing += part.missing_count();
    }
    EXPECT_EQ(summary->all.count(), count);
    EXPECT_EQ(summary->all.missing_count(), missing);
  }
  EXPECT_EQ(told[0], told[1]);
}

}  // namespace
}  // namespace millrace::statistics
