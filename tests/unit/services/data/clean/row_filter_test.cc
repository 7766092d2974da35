#include "services/data/clean/row_filter.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/data/tables.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;

const double kMissing = std::nan("");

features::Table Example() {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 1, 1, kMissing, 0, 1});
  AddTexts(table, "y", {"b", "a", "b", "a", "b", "b", "b"});
  return table;
}

TEST(RepeatedRowsTest, FindsRowsThatEqualAnEarlierOneInEveryColumn) {
  EXPECT_THAT(RepeatedRows(Example(), {0, 1, 2, 3, 4, 5, 6}), ElementsAre(2, 6));
}

TEST(RepeatedRowsTest, LooksOnlyAmongTheRowsItIsGiven) {
  EXPECT_THAT(RepeatedRows(Example(), {1, 2, 3, 6}), ElementsAre(6));
  EXPECT_THAT(RepeatedRows(Example(), {}), ElementsAre());
}

TEST(KeepRowsTest, KeepsCellsInOrderAndNumbersTheTextsAnew) {
  features::Table table = Example();
  KeepRows(table, {1, 4, 5});

  EXPECT_THAT(table.columns[0].numbers, ElementsAre(2, 0, 0));
  EXPECT_THAT(table.columns[0].valid, ElementsAre(1, 0, 1));
  EXPECT_THAT(table.columns[1].dictionary, ElementsAre("a", "b"));
  EXPECT_THAT(table.columns[1].codes, ElementsAre(0, 1, 1));
}

TEST(KeepRowsTest, LosesTextsThatNoRowHas) {
  features::Table table = Example();
  KeepRows(table, {0, 2});

  EXPECT_THAT(table.columns[1].dictionary, ElementsAre("b"));
  EXPECT_THAT(table.columns[1].codes, ElementsAre(0, 0));
}

}  // namespace
}  // namespace millrace::data
