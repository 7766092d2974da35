#include "common/features/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::features {
namespace {

using testing::ElementsAre;

TEST(ColumnCellsTest, GivesMissingNumbersAndTexts) {
  const ColumnCells numbers{.numbers = {0, 2.5}, .codes = {}, .dictionary = {}, .valid = {0, 1}};
  const ColumnCells texts{
      .numbers = {}, .codes = {1, 0}, .dictionary = {"a", "b"}, .valid = {1, 0}};

  EXPECT_EQ(numbers.At(0).kind, Cell::Kind::kMissing);
  EXPECT_EQ(numbers.At(1).number, 2.5);
  EXPECT_EQ(texts.At(0).text, "b");
  EXPECT_EQ(texts.At(1).kind, Cell::Kind::kMissing);
}

TEST(ClassesOfTest, NamesTheClassesInByteOrderAndPassesOverMissingCells) {
  schema::v1::Column column;
  column.set_type(schema::v1::COLUMN_TYPE_INTEGER);
  const ColumnCells numbers{
      .numbers = {2, 10, 0, 2}, .codes = {}, .dictionary = {}, .valid = {1, 1, 0, 1}};
  EXPECT_THAT(ClassesOf(column, numbers, 9), ElementsAre("10", "2"));

  column.set_type(schema::v1::COLUMN_TYPE_BOOLEAN);
  column.set_true_spelling("yes");
  column.set_false_spelling("no");
  const ColumnCells booleans{.numbers = {1, 0}, .codes = {}, .dictionary = {}, .valid = {1, 1}};
  EXPECT_THAT(ClassesOf(column, booleans, 9), ElementsAre("no", "yes"));

  column.set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  const ColumnCells texts{
      .numbers = {}, .codes = {0, 1, 0, 2}, .dictionary = {"c", "a", "b"}, .valid = {1, 1, 1, 1}};
  EXPECT_THAT(ClassesOf(column, texts, 9), ElementsAre("a", "b", "c"));
}

TEST(ClassesOfTest, StopsOnePastTheLimit) {
  schema::v1::Column column;
  column.set_type(schema::v1::COLUMN_TYPE_INTEGER);
  ColumnCells cells;
  for (int i = 0; i < 100; ++i) {
    cells.numbers.push_back(i);
    cells.valid.push_back(1);
  }

  EXPECT_EQ(ClassesOf(column, cells, 10).size(), 11U);
}

TEST(TableTest, FindsColumnsByName) {
  Table table;
  table.schema.add_columns()->set_name("a");
  table.schema.add_columns()->set_name("b");

  EXPECT_EQ(table.IndexOf("b"), 1);
  EXPECT_EQ(table.IndexOf("c"), -1);
  EXPECT_EQ(table.row_count(), 0);
}

}  // namespace
}  // namespace millrace::features
