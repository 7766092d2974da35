#include "common/model/signature.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace millrace::model {
namespace {

using schema::v1::TransformSet;

void AddFeature(std::string_view name, schema::v1::ColumnType type, TransformSet& transforms) {
  auto& column = *transforms.add_features()->mutable_column();
  column.set_name(std::string(name));
  column.set_type(type);
}

TransformSet WithLabel(schema::v1::Task task) {
  TransformSet transforms;
  AddFeature("age", schema::v1::COLUMN_TYPE_INTEGER, transforms);
  AddFeature("city", schema::v1::COLUMN_TYPE_CATEGORY, transforms);
  transforms.set_task(task);
  transforms.mutable_label()->mutable_column()->set_name("ill");
  return transforms;
}

TEST(SignatureTest, HasWhatARowNeedsAndWhatTheModelSays) {
  TransformSet transforms = WithLabel(schema::v1::TASK_BINARY);
  transforms.mutable_label()->add_classes("yes");  // named as the positive one: last, not sorted
  transforms.mutable_label()->add_classes("no");

  const serving::v1::ModelSignature signature = SignatureOf(transforms);

  ASSERT_EQ(signature.features_size(), 2);
  EXPECT_EQ(signature.features(0).name(), "age");
  EXPECT_EQ(signature.features(0).type(), schema::v1::COLUMN_TYPE_INTEGER);
  EXPECT_EQ(signature.features(1).name(), "city");
  EXPECT_EQ(signature.label(), "ill");
  EXPECT_EQ(signature.task(), schema::v1::TASK_BINARY);
  ASSERT_EQ(signature.classes_size(), 2);
  EXPECT_EQ(signature.classes(0), "yes");
  EXPECT_EQ(signature.positive_class(), "no");
}

TEST(SignatureTest, OnlyOneOfTwoClassesIsPositive) {
  TransformSet classes = WithLabel(schema::v1::TASK_MULTICLASS);
  for (const char* name : {"a", "b", "c"}) {
    classes.mutable_label()->add_classes(name);
  }
  EXPECT_EQ(SignatureOf(classes).positive_class(), "");
  EXPECT_EQ(SignatureOf(classes).classes_size(), 3);

  const auto number = SignatureOf(WithLabel(schema::v1::TASK_REGRESSION));
  EXPECT_EQ(number.positive_class(), "");
  EXPECT_EQ(number.classes_size(), 0);
  EXPECT_EQ(SignatureOf({}).label(), "");
}

}  // namespace
}  // namespace millrace::model
