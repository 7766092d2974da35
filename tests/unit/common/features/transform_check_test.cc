#include "common/features/transform_check.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/features/transforms.h"

namespace millrace::features {
namespace {

using schema::v1::TransformSet;

TEST(TransformCheckTest, AcceptsASetThatMakesSense) {
  EXPECT_TRUE(CheckTransforms(ExampleSet()).ok());
}

TEST(TransformCheckTest, AcceptsASetWithoutALabelAndARegression) {
  TransformSet set = ExampleSet();
  set.clear_label();
  set.set_task(schema::v1::TASK_UNSPECIFIED);
  EXPECT_TRUE(CheckTransforms(set).ok());

  set = ExampleSet();
  set.mutable_label()->mutable_column()->set_type(schema::v1::COLUMN_TYPE_REAL);
  set.mutable_label()->clear_classes();
  set.set_task(schema::v1::TASK_REGRESSION);
  EXPECT_TRUE(CheckTransforms(set).ok());
}

struct Damage {
  std::string message;
  std::function<void(TransformSet&)> apply;
};

// Goal: every way in which a set can contradict itself is told. Method: damage a good one.
TEST(TransformCheckTest, RefusesEachContradiction) {
  const std::vector<Damage> damages = {
      {"1 to 16384 features, found 0", [](auto& s) { s.clear_features(); }},
      {"input_count 5", [](auto& s) { s.set_input_count(5); }},
      {"expected a linear encoding", [](auto& s) { s.mutable_features(0)->mutable_one_hot(); }},
      {"expected a linear encoding", [](auto& s) { s.mutable_features(0)->set_category("x"); }},
      {"expected a linear encoding", [](auto& s) { s.mutable_features(0)->clear_encoding(); }},
      {"expected a one-hot encoding", [](auto& s) { s.mutable_features(1)->mutable_linear(); }},
      {"expected a one-hot encoding", [](auto& s) { s.mutable_features(1)->set_number(1); }},
      {"must be finite",
       [](auto& s) { s.mutable_features(0)->mutable_linear()->set_scale(std::nan("")); }},
      {"must be finite",
       [](auto& s) { s.mutable_features(0)->mutable_linear()->set_offset(HUGE_VAL); }},
      {"must be finite", [](auto& s) { s.mutable_features(0)->set_number(-HUGE_VAL); }},
      {"must ascend and differ",
       [](auto& s) { s.mutable_features(1)->mutable_one_hot()->set_categories(0, "red"); }},
      {"must ascend and differ",
       [](auto& s) { s.mutable_features(1)->mutable_one_hot()->set_categories(0, "zinc"); }},
      {"none of its categories, found 'pink'",
       [](auto& s) { s.mutable_features(1)->set_category("pink"); }},
      {"must be a number, boolean, timestamp or category",
       [](auto& s) {
         s.mutable_features(0)->mutable_column()->set_type(schema::v1::COLUMN_TYPE_TEXT);
       }},
      {"1 to 256 bytes, found 0",
       [](auto& s) { s.mutable_features(0)->mutable_column()->clear_name(); }},
      {"1 to 256 bytes, found 257",
       [](auto& s) { s.mutable_features(0)->mutable_column()->set_name(std::string(257, 'x')); }},
      {"'colour' stands twice",
       [](auto& s) { s.mutable_features(0)->mutable_column()->set_name("colour"); }},
      {"'ill' stands twice",
       [](auto& s) { s.mutable_features(0)->mutable_column()->set_name("ill"); }},
      {"two different spellings",
       [](auto& s) {
         s.mutable_features(0)->mutable_column()->set_type(schema::v1::COLUMN_TYPE_BOOLEAN);
       }},
      {"needs a label, found none", [](auto& s) { s.clear_label(); }},
      {"number of classes, found 3", [](auto& s) { s.mutable_label()->add_classes("maybe"); }},
      {"number of classes, found 2", [](auto& s) { s.set_task(schema::v1::TASK_REGRESSION); }},
      {"classes must differ", [](auto& s) { s.mutable_label()->set_classes(0, "yes"); }},
      {"does not fit TASK_BINARY",
       [](auto& s) {
         s.mutable_label()->mutable_column()->set_type(schema::v1::COLUMN_TYPE_TEXT);
       }},
      {"does not fit TASK_REGRESSION",
       [](auto& s) {
         s.mutable_label()->clear_classes();
         s.set_task(schema::v1::TASK_REGRESSION);
       }},
  };
  for (const Damage& damage : damages) {
    TransformSet set = ExampleSet();
    damage.apply(set);
    const absl::Status status = CheckTransforms(set);

    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << damage.message;
    EXPECT_THAT(std::string(Message(status)), testing::HasSubstr(damage.message));
  }
}

TEST(TransformCheckTest, HoldsTheLimitOfCategories) {
  std::vector<std::string> categories;
  categories.reserve(kCategoriesMax + 1);
  for (int i = 0; i < kCategoriesMax; ++i) {
    categories.push_back(std::to_string(10000 + i));
  }
  TransformSet set;
  AddCategory(set, "code", categories, categories.front());
  EXPECT_TRUE(CheckTransforms(set).ok());

  categories.emplace_back("20000");
  set.Clear();
  AddCategory(set, "code", categories, categories.front());
  EXPECT_THAT(std::string(Message(CheckTransforms(set))),
              testing::HasSubstr("at most 1024 categories, found 1025"));
}

}  // namespace
}  // namespace millrace::features
