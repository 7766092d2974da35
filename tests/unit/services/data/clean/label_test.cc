#include "services/data/clean/label.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/features/transform_check.h"
#include "common/status/status.h"
#include "tests/unit/common/features/table_groups.h"
#include "tests/unit/services/data/tables.h"

namespace millrace::data {
namespace {

using schema::v1::ColumnType;

v1::ImportOptions WithLabel() {
  v1::ImportOptions options;
  options.set_label("y");
  return options;
}

absl::StatusOr<schema::v1::Task> TaskOf(const features::Table& table,
                                        const v1::ImportOptions& options,
                                        std::int64_t classes_max = features::kClassesMax) {
  const features::TableGroups groups(table, 100);
  features::ColumnReader reader(groups, 0, {});
  const auto classes = features::ClassesOf(reader, features::AllKept(table), features::kClassesMax);
  EXPECT_TRUE(classes.ok()) << classes.status();
  const LabelValues values{
      .classes = *classes, .rows = table.row_count(), .classes_max = classes_max};
  return DecideTask(table.schema.columns(0), values, options, "t.csv");
}

absl::StatusOr<schema::v1::Task> TaskOfNumbers(const std::vector<double>& numbers,
                                               ColumnType type,
                                               const v1::ImportOptions& options = WithLabel()) {
  features::Table table;
  AddNumbers(table, "y", numbers, type);
  return TaskOf(table, options);
}

absl::StatusOr<schema::v1::Task> TaskOfTexts(const std::vector<std::string>& texts,
                                             const v1::ImportOptions& options = WithLabel()) {
  features::Table table;
  AddTexts(table, "y", texts);
  return TaskOf(table, options);
}

// `count` numbers, of which `different` are different.
std::vector<double> Numbers(int count, int different) {
  std::vector<double> numbers;
  numbers.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    numbers.push_back(i % different);
  }
  return numbers;
}

void ExpectError(const absl::Status& status, std::string_view message, std::string_view fix) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), message);
  EXPECT_EQ(Fix(status), fix);
}

TEST(DecideTaskTest, CategoriesAndBooleansAreClassified) {
  EXPECT_EQ(*TaskOfTexts({"a", "b", "a"}), schema::v1::TASK_BINARY);
  EXPECT_EQ(*TaskOfTexts({"a", "b", "c"}), schema::v1::TASK_MULTICLASS);
  EXPECT_EQ(*TaskOfNumbers({1, 0}, schema::v1::COLUMN_TYPE_BOOLEAN), schema::v1::TASK_BINARY);
}

TEST(DecideTaskTest, IntegersAreClassifiedWhenFewAndRepeated) {
  constexpr ColumnType kInteger = schema::v1::COLUMN_TYPE_INTEGER;

  EXPECT_EQ(*TaskOfNumbers({0, 1}, kInteger), schema::v1::TASK_BINARY);
  EXPECT_EQ(*TaskOfNumbers(Numbers(29, 3), kInteger), schema::v1::TASK_REGRESSION);
  EXPECT_EQ(*TaskOfNumbers(Numbers(30, 3), kInteger), schema::v1::TASK_MULTICLASS);
  EXPECT_EQ(*TaskOfNumbers(Numbers(200, 20), kInteger), schema::v1::TASK_MULTICLASS);
  EXPECT_EQ(*TaskOfNumbers(Numbers(2100, 21), kInteger), schema::v1::TASK_REGRESSION);
}

TEST(DecideTaskTest, RealsAreARegression) {
  EXPECT_EQ(*TaskOfNumbers(Numbers(100, 2), schema::v1::COLUMN_TYPE_REAL),
            schema::v1::TASK_REGRESSION);
}

TEST(DecideTaskTest, OneClassOrOneValueIsRefused) {
  ExpectError(TaskOfTexts({"a", "a"}).status(),
              "t.csv: label 'y' must have two classes or more, found only 'a'",
              "add rows of another class, or choose another label");
  ExpectError(TaskOfNumbers({1.5, 1.5}, schema::v1::COLUMN_TYPE_REAL).status(),
              "t.csv: label 'y' must have two classes or more, found only '1.5'",
              "add rows of another class, or choose another label");
}

TEST(DecideTaskTest, MoreThanAThousandClassesAreRefused) {
  std::vector<std::string> texts;
  texts.reserve(1001);
  for (int i = 0; i < 1000; ++i) {
    texts.push_back(std::to_string(i));
  }
  EXPECT_EQ(*TaskOfTexts(texts), schema::v1::TASK_MULTICLASS);

  texts.emplace_back("one more");
  ExpectError(TaskOfTexts(texts).status(),
              "t.csv: label 'y' must have at most 1000 classes, found more",
              "choose another label, or give it the type real if it is a number");
}

TEST(DecideTaskTest, ALowerLimitRefusesClassesAndLeavesRegressionsAlone) {
  constexpr ColumnType kInteger = schema::v1::COLUMN_TYPE_INTEGER;
  features::Table table;
  AddNumbers(table, "y", Numbers(40, 4), kInteger);
  EXPECT_EQ(*TaskOf(table, WithLabel(), 4), schema::v1::TASK_MULTICLASS);
  ExpectError(TaskOf(table, WithLabel(), 3).status(),
              "t.csv: label 'y' must have at most 3 classes, found more",
              "choose another label, or give it the type real if it is a number");

  features::Table many;
  AddNumbers(many, "y", Numbers(2100, 21), kInteger);
  EXPECT_EQ(*TaskOf(many, WithLabel(), 3), schema::v1::TASK_REGRESSION);
}

TEST(DecideTaskTest, TimestampsAreRefused) {
  ExpectError(TaskOfNumbers({1, 2}, schema::v1::COLUMN_TYPE_TIMESTAMP).status(),
              "t.csv: label 'y' must be a number, boolean or category, found a timestamp",
              "choose another label, or give it the type category");
}

TEST(DecideTaskTest, ThePositiveClassIsOneOfTwo) {
  v1::ImportOptions options = WithLabel();
  options.set_positive_class("malignant");
  EXPECT_EQ(*TaskOfTexts({"malignant", "benign"}, options), schema::v1::TASK_BINARY);

  options.set_positive_class("malignent");
  ExpectError(TaskOfTexts({"malignant", "benign"}, options).status(),
              "t.csv: the positive class must be 'benign' or 'malignant', found 'malignent'",
              "did you mean 'malignant'?");
  ExpectError(TaskOfTexts({"a", "b", "c"}, options).status(),
              "t.csv: a positive class needs a label of two classes, found TASK_MULTICLASS",
              "leave out the positive class");
}

}  // namespace
}  // namespace millrace::data
