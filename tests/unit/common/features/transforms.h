// Transforms: sets of them, as the tests of this folder use them.

#pragma once

#include <string>
#include <vector>

#include "millrace/schema/v1/transforms.pb.h"

namespace millrace::features {

inline void AddNumber(schema::v1::TransformSet& set,
                      const std::string& name,
                      double offset,
                      double scale,
                      double imputed) {
  schema::v1::FeatureTransform& feature = *set.add_features();
  feature.mutable_column()->set_name(name);
  feature.mutable_column()->set_type(schema::v1::COLUMN_TYPE_REAL);
  feature.mutable_linear()->set_offset(offset);
  feature.mutable_linear()->set_scale(scale);
  feature.set_number(imputed);
  set.set_input_count(set.input_count() + 1);
}

inline void AddCategory(schema::v1::TransformSet& set,
                        const std::string& name,
                        const std::vector<std::string>& categories,
                        const std::string& imputed) {
  schema::v1::FeatureTransform& feature = *set.add_features();
  feature.mutable_column()->set_name(name);
  feature.mutable_column()->set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  for (const std::string& category : categories) {
    feature.mutable_one_hot()->add_categories(category);
  }
  feature.mutable_one_hot();
  feature.set_category(imputed);
  set.set_input_count(set.input_count() + static_cast<int>(categories.size()) + 1);
}

/// Age in [20, 60] scaled to [0, 1], colour of blue and red, label ill of no and yes.
inline schema::v1::TransformSet ExampleSet() {
  schema::v1::TransformSet set;
  AddNumber(set, "age", 20, 1.0 / 40, 30);
  AddCategory(set, "colour", {"blue", "red"}, "red");
  set.mutable_label()->mutable_column()->set_name("ill");
  set.mutable_label()->mutable_column()->set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  set.mutable_label()->add_classes("no");
  set.mutable_label()->add_classes("yes");
  set.set_task(schema::v1::TASK_BINARY);
  set.add_missing_spellings("N/A");
  return set;
}

}  // namespace millrace::features
