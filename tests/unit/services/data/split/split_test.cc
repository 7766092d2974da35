#include "services/data/split/split.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "tests/unit/common/features/table_groups.h"
#include "tests/unit/services/data/tables.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::ImportOptions Options(double train = 0.7, double validation = 0.15, std::int64_t seed = 0) {
  v1::ImportOptions options;
  options.set_train_fraction(train);
  options.set_validation_fraction(validation);
  options.set_split_seed(seed);
  return options;
}

// Rows of a table, ascending.
struct Splits {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;
};

Splits AssignSplits(const features::Table& table, const v1::ImportOptions& options) {
  const storage::TemporaryFolder folder;
  const features::TableGroups groups(table, 64);
  const auto ranked = features::Ranked(groups, RankKey(options), folder);
  EXPECT_TRUE(ranked.ok()) << ranked.status();
  features::RowMarks marks = features::AllKept(table);
  const bool by_class = table.schema.task() != schema::v1::TASK_REGRESSION;
  const absl::Status assigned = data::AssignSplits(*ranked, by_class, options, marks);
  EXPECT_TRUE(assigned.ok()) << assigned;
  return {.train = features::RowsWith(marks, schema::v1::SPLIT_TRAIN),
          .validation = features::RowsWith(marks, schema::v1::SPLIT_VALIDATION),
          .test = features::RowsWith(marks, schema::v1::SPLIT_TEST)};
}

// Row i says i; the first `minority` rows are of class "a", the others of class "b".
features::Table Example(int rows, int minority) {
  std::vector<double> numbers;
  std::vector<std::string> labels;
  for (int i = 0; i < rows; ++i) {
    numbers.push_back(i);
    labels.emplace_back(i < minority ? "a" : "b");
  }
  features::Table table;
  AddNumbers(table, "x", numbers);
  AddTexts(table, "y", labels);
  MakeLabel(table);
  table.schema.set_task(schema::v1::TASK_BINARY);
  return table;
}

std::int64_t Below(const std::vector<std::int64_t>& rows, std::int64_t limit) {
  return std::count_if(rows.begin(), rows.end(), [limit](std::int64_t row) { return row < limit; });
}

TEST(SplitTest, EachRowIsInExactlyOneSplit) {
  const Splits splits = AssignSplits(Example(1000, 100), Options());
  std::set<std::int64_t> rows(splits.train.begin(), splits.train.end());
  rows.insert(splits.validation.begin(), splits.validation.end());
  rows.insert(splits.test.begin(), splits.test.end());

  EXPECT_EQ(rows.size(), 1000U);
  EXPECT_EQ(splits.train.size() + splits.validation.size() + splits.test.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(splits.train.begin(), splits.train.end()));
  EXPECT_TRUE(std::is_sorted(splits.test.begin(), splits.test.end()));
}

TEST(SplitTest, EachClassIsCutAtTheQuotas) {
  const Splits splits = AssignSplits(Example(1000, 100), Options());

  EXPECT_EQ(splits.train.size(), 700U);
  EXPECT_EQ(splits.validation.size(), 150U);
  EXPECT_EQ(splits.test.size(), 150U);
  EXPECT_EQ(Below(splits.train, 100), 70);
  EXPECT_EQ(Below(splits.validation, 100), 15);
  EXPECT_EQ(Below(splits.test, 100), 15);
}

// Goal: rows that stand together do not end together. Method: of the first half of one class, the
// share in train is near 0.7 (a binomial's five deviations are 0.1).
TEST(SplitTest, TheRankHasNothingToDoWithThePlace) {
  const Splits splits = AssignSplits(Example(1000, 0), Options());

  EXPECT_NEAR(static_cast<double>(Below(splits.train, 500)) / 500, 0.7, 0.1);
}

TEST(SplitTest, TheSameSeedGivesTheSameAndAnotherAnotherSplit) {
  const features::Table table = Example(200, 50);

  EXPECT_EQ(AssignSplits(table, Options()).train, AssignSplits(table, Options()).train);
  EXPECT_NE(AssignSplits(table, Options()).train, AssignSplits(table, Options(0.7, 0.15, 1)).train);
}

// Goal: a row's split does not depend on where it stands. Method: shuffle the rows of a table and
// compare what the rows of each split say.
TEST(SplitTest, DoesNotDependOnTheOrderOfRows) {
  const features::Table table = Example(300, 90);
  const std::vector<std::int64_t> order = Random(5).Permutation(300);
  std::vector<double> numbers;
  std::vector<std::string> labels;
  for (const std::int64_t row : order) {
    numbers.push_back(static_cast<double>(row));
    labels.emplace_back(row < 90 ? "a" : "b");
  }
  features::Table shuffled;
  AddNumbers(shuffled, "x", numbers);
  AddTexts(shuffled, "y", labels);
  MakeLabel(shuffled);
  shuffled.schema.set_task(schema::v1::TASK_BINARY);
  const Splits splits = AssignSplits(table, Options());
  const Splits others = AssignSplits(shuffled, Options());
  std::vector<std::int64_t> said;
  for (const std::int64_t row : others.validation) {
    said.push_back(order[static_cast<std::size_t>(row)]);
  }
  std::sort(said.begin(), said.end());

  EXPECT_EQ(said, splits.validation);
}

TEST(SplitTest, TinyClassesGoToTrainFirst) {
  const Splits one = AssignSplits(Example(1, 1), Options());
  EXPECT_THAT(one.train, ElementsAre(0));
  EXPECT_THAT(one.validation, IsEmpty());
  EXPECT_THAT(one.test, IsEmpty());

  const Splits two = AssignSplits(Example(4, 1), Options(0.01, 0.5));
  EXPECT_EQ(Below(two.train, 1), 1) << "the only row of its class";
  EXPECT_EQ(two.train.size(), 2U);
}

TEST(SplitTest, FractionsMayLeaveNothingForValidationOrTest) {
  const Splits all = AssignSplits(Example(20, 5), Options(1, 0));
  EXPECT_EQ(all.train.size(), 20U);

  const Splits no_test = AssignSplits(Example(20, 10), Options(0.7, 0.3));
  EXPECT_EQ(no_test.train.size(), 14U);
  EXPECT_EQ(no_test.validation.size(), 6U);
  EXPECT_THAT(no_test.test, IsEmpty());
}

TEST(SplitTest, ARegressionIsNotGroupedByItsLabel) {
  features::Table table;
  std::vector<double> numbers;
  numbers.reserve(100);
  for (int i = 0; i < 100; ++i) {
    numbers.push_back(i);
  }
  AddNumbers(table, "x", numbers);
  AddNumbers(table, "y", numbers);
  MakeLabel(table);
  table.schema.set_task(schema::v1::TASK_REGRESSION);

  EXPECT_EQ(AssignSplits(table, Options()).train.size(), 70U);
}

TEST(SplitTest, RowsThatAreDroppedHaveNoSplitAndCountForNone) {
  const features::Table table = Example(100, 50);
  const storage::TemporaryFolder folder;
  const features::TableGroups groups(table, 64);
  const auto ranked = features::Ranked(groups, RankKey(Options()), folder);
  ASSERT_TRUE(ranked.ok()) << ranked.status();
  features::RowMarks marks(100, features::kKept);
  std::fill_n(marks.begin(), 40, features::kDropped);
  ASSERT_TRUE(data::AssignSplits(*ranked, /*by_class=*/true, Options(), marks).ok());

  EXPECT_EQ(features::RowsWith(marks, features::kDropped).size(), 40U);
  EXPECT_EQ(features::RowsWith(marks, schema::v1::SPLIT_TRAIN).size(), 42U);
}

}  // namespace
}  // namespace millrace::data
