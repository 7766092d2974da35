#include "services/data/fit/fit.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/features/transformer.h"
#include "common/status/status.h"
#include "tests/unit/common/features/table_groups.h"
#include "tests/unit/services/data/tables.h"

namespace millrace::data {
namespace {

using schema::v1::TransformSet;
using testing::ElementsAre;

const double kMissing = std::nan("");
const std::vector<std::int64_t> kTrain = {0, 1, 2, 3};

v1::ImportOptions WithScaling(v1::Scaling scaling) {
  v1::ImportOptions options;
  options.set_scaling(scaling);
  return options;
}

// Fits on kTrain; what is left of the rows is in the test split.
absl::StatusOr<TransformSet> FitTransforms(const features::Table& table,
                                           const std::vector<std::int64_t>& train,
                                           const v1::ImportOptions& options,
                                           const std::string& file_name,
                                           std::vector<v1::CleaningEffect>* imputed = nullptr) {
  const features::TableGroups groups(table);
  features::RowMarks marks(static_cast<std::size_t>(table.row_count()), schema::v1::SPLIT_TEST);
  for (const std::int64_t row : train) {
    marks[static_cast<std::size_t>(row)] = schema::v1::SPLIT_TRAIN;
  }
  const FitOptions fit{.scaling = options.scaling(),
                       .task = table.schema.task(),
                       .positive_class = options.positive_class(),
                       .file_name = file_name};
  std::vector<FittedColumn> columns;
  for (int c = 0; c < table.schema.columns_size(); ++c) {
    features::ColumnReader reader(groups, static_cast<std::size_t>(c), {});
    auto column = FitColumn(reader, table.schema.columns(c), marks, fit);
    if (!column.ok()) {
      return column.status();
    }
    columns.push_back(*std::move(column));
  }
  if (imputed != nullptr) {
    *imputed = ImputedCells(columns);
  }
  return JoinTransforms(table.schema, std::move(columns));
}

absl::StatusOr<TransformSet> FittedNumbers(const std::vector<double>& numbers,
                                           v1::Scaling scaling = v1::SCALING_MIN_MAX) {
  features::Table table;
  AddNumbers(table, "x", numbers);
  return FitTransforms(table, kTrain, WithScaling(scaling), "t.csv");
}

TEST(FitTest, LooksAtTheTrainSplitOnly) {
  const auto set = FittedNumbers({2, 4, kMissing, 10, 1000});

  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->features(0).linear().offset(), 2);
  EXPECT_EQ(set->features(0).linear().scale(), 1.0 / 8);
  EXPECT_EQ(set->features(0).number(), 4) << "the median";
  EXPECT_EQ(set->input_count(), 1);
}

TEST(FitTest, TheMedianOfAnEvenCountIsTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(FittedNumbers({9, 1, 4, 2, 7})->features(0).number(), 3);
}

TEST(FitTest, ScalesToMeanZeroAndDeviationOneWhenAsked) {
  const auto set = FittedNumbers({2, 4, 4, 6}, v1::SCALING_STANDARD);

  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_DOUBLE_EQ(set->features(0).linear().offset(), 4);
  EXPECT_DOUBLE_EQ(set->features(0).linear().scale(), 1 / std::sqrt(2.0));
}

TEST(FitTest, LeavesNumbersAsTheyAreWhenAsked) {
  const auto set = FittedNumbers({2, 4, 4, 6}, v1::SCALING_NONE);

  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->features(0).linear().offset(), 0);
  EXPECT_EQ(set->features(0).linear().scale(), 1);
}

TEST(FitTest, AColumnWithoutSpreadInTrainBecomesZero) {
  for (const v1::Scaling scaling : {v1::SCALING_MIN_MAX, v1::SCALING_STANDARD}) {
    EXPECT_EQ(FittedNumbers({0.1, 0.1, 0.1, 0.1, 9}, scaling)->features(0).linear().scale(), 0);
    EXPECT_EQ(FittedNumbers({0, 0, 0, 5e-324, 9}, scaling)->features(0).linear().scale(), 0);
    EXPECT_EQ(FittedNumbers({kMissing, kMissing, kMissing, kMissing, 9}, scaling)
                  ->features(0)
                  .linear()
                  .scale(),
              0);
  }
}

TEST(FitTest, NumbersThatLeaveAFloatOnceScaledAreRefused) {
  for (const auto& status : {FittedNumbers({0, 0.5, 1, 1, 1e300}).status(),
                             FittedNumbers({1e39, 0, 1, 2}, v1::SCALING_NONE).status(),
                             FittedNumbers({-1e308, 1e308, 1e308, 1e308}).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(
        std::string(Message(status)),
        testing::HasSubstr("column 'x' has numbers that a float32 cannot hold once scaled"));
    EXPECT_EQ(Fix(status), "correct the cell, or drop the column");
  }
}

TEST(FitTest, CategoriesAscendAndTheMostFrequentStandsIn) {
  features::Table table;
  AddTexts(table, "c", {"b", "c", "b", "c", "a"});
  const auto set = FitTransforms(table, kTrain, WithScaling(v1::SCALING_MIN_MAX), "t.csv");

  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->features(0).one_hot().categories(), ElementsAre("b", "c"))
      << "a is not in train";
  EXPECT_EQ(set->features(0).category(), "b") << "as frequent as c, and before it";
  EXPECT_EQ(set->input_count(), 3);
}

TEST(FitTest, ACategoryThatTrainNeverHasIsOnlyUnknown) {
  features::Table table;
  AddTexts(table, "c", {"", "", "", "", "a"});
  const auto set = FitTransforms(table, kTrain, WithScaling(v1::SCALING_MIN_MAX), "t.csv");

  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->input_count(), 1);
}

TEST(FitTest, ClassesAscendWithThePositiveOneLast) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 3, 4});
  AddTexts(table, "y", {"malignant", "benign", "benign", "malignant"});
  MakeLabel(table);
  table.schema.set_task(schema::v1::TASK_BINARY);
  v1::ImportOptions options = WithScaling(v1::SCALING_MIN_MAX);

  EXPECT_THAT(FitTransforms(table, kTrain, options, "t.csv")->label().classes(),
              ElementsAre("benign", "malignant"));
  options.set_positive_class("benign");
  EXPECT_THAT(FitTransforms(table, kTrain, options, "t.csv")->label().classes(),
              ElementsAre("malignant", "benign"));
}

TEST(FitTest, ARegressionHasNoClasses) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 3, 4});
  AddNumbers(table, "y", {0.5, 1.5, 2.5, 3.5});
  MakeLabel(table);
  table.schema.set_task(schema::v1::TASK_REGRESSION);
  const auto set = FitTransforms(table, kTrain, WithScaling(v1::SCALING_MIN_MAX), "t.csv");

  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->label().classes_size(), 0);
  EXPECT_EQ(set->label().column().name(), "y");
  EXPECT_EQ(set->task(), schema::v1::TASK_REGRESSION);
}

TEST(FitTest, LeavesColumnsThatAreSetAsideAlone) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 3, 4});
  AddTexts(table, "name", {"p", "q", "r", "s"}, schema::v1::COLUMN_TYPE_IDENTIFIER);
  table.schema.mutable_columns(1)->set_role(schema::v1::COLUMN_ROLE_SET_ASIDE);
  const auto set = FitTransforms(table, kTrain, WithScaling(v1::SCALING_MIN_MAX), "t.csv");

  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->features_size(), 1);
}

TEST(ImputedCellsTest, CountsTheCellsAndSaysWhatStandsIn) {
  features::Table table;
  AddNumbers(table, "x", {1, kMissing, 3, kMissing});
  AddTexts(table, "c", {"a", "a", "b", ""});
  AddNumbers(table, "full", {1, 2, 3, 4});
  std::vector<v1::CleaningEffect> effects;
  const auto set =
      FitTransforms(table, kTrain, WithScaling(v1::SCALING_MIN_MAX), "t.csv", &effects);
  ASSERT_TRUE(set.ok()) << set.status();

  ASSERT_EQ(effects.size(), 2U);
  EXPECT_EQ(effects[0].rule(), "imputed_cells");
  EXPECT_EQ(effects[0].column(), "x");
  EXPECT_EQ(effects[0].count(), 2);
  EXPECT_THAT(effects[0].explanation(), testing::HasSubstr("2, the median of the train split"));
  EXPECT_EQ(effects[1].count(), 1);
  EXPECT_THAT(effects[1].explanation(), testing::HasSubstr("'a', the most frequent value"));
}

}  // namespace
}  // namespace millrace::data
