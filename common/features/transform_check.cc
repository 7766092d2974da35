#include "common/features/transform_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "common/features/cell.h"
#include "common/features/table.h"
#include "common/status/status.h"

namespace millrace::features {

namespace {

using schema::v1::Column;
using schema::v1::FeatureTransform;
using schema::v1::LabelTransform;
using schema::v1::TransformSet;

constexpr std::size_t kNameBytesMax = 256;

absl::Status CheckColumn(const Column& column) {
  if (column.name().empty() || column.name().size() > kNameBytesMax) {
    return InvalidArgument("a column's name has 1 to 256 bytes, found {}", column.name().size());
  }
  const bool boolean = column.type() == schema::v1::COLUMN_TYPE_BOOLEAN;
  const bool spelled = !column.true_spelling().empty() && !column.false_spelling().empty() &&
                       !EqualsIgnoringCase(column.true_spelling(), column.false_spelling());
  if (boolean && !spelled) {
    return InvalidArgument("boolean column '{}' needs two different spellings, found '{}' and '{}'",
                           Excerpt(column.name()),
                           Excerpt(column.true_spelling()),
                           Excerpt(column.false_spelling()));
  }
  return absl::OkStatus();
}

absl::Status CheckLinear(const FeatureTransform& feature) {
  const std::string name = Excerpt(feature.column().name());
  if (!feature.has_linear() || feature.imputation_case() != FeatureTransform::kNumber) {
    return InvalidArgument(
        "feature '{}' is a number: expected a linear encoding and an imputed "
        "number",
        name);
  }
  const bool finite = std::isfinite(feature.number()) && std::isfinite(feature.linear().offset()) &&
                      std::isfinite(feature.linear().scale());
  if (!finite) {
    return InvalidArgument("feature '{}': imputed number, offset and scale must be finite", name);
  }
  return absl::OkStatus();
}

absl::Status CheckOneHot(const FeatureTransform& feature) {
  const std::string name = Excerpt(feature.column().name());
  if (!feature.has_one_hot() || feature.imputation_case() != FeatureTransform::kCategory) {
    return InvalidArgument(
        "feature '{}' is a category: expected a one-hot encoding and an imputed "
        "category",
        name);
  }
  const auto& categories = feature.one_hot().categories();
  if (categories.size() > kCategoriesMax) {
    return InvalidArgument("feature '{}' has at most {} categories, found {}",
                           name,
                           kCategoriesMax,
                           categories.size());
  }
  // Strictly ascending: sorted and none twice.
  if (std::adjacent_find(categories.begin(), categories.end(), std::greater_equal<>()) !=
      categories.end()) {
    return InvalidArgument("feature '{}': categories must ascend and differ", name);
  }
  if (!categories.empty() &&
      !std::binary_search(categories.begin(), categories.end(), feature.category())) {
    return InvalidArgument("feature '{}': imputed category is none of its categories, found '{}'",
                           name,
                           Excerpt(feature.category()));
  }
  return absl::OkStatus();
}

absl::Status CheckFeature(const FeatureTransform& feature) {
  RETURN_IF_ERROR(CheckColumn(feature.column()));
  if (IsNumeric(feature.column().type())) {
    return CheckLinear(feature);
  }
  if (feature.column().type() == schema::v1::COLUMN_TYPE_CATEGORY) {
    return CheckOneHot(feature);
  }
  return InvalidArgument("feature '{}' must be a number, boolean, timestamp or category, found {}",
                         Excerpt(feature.column().name()),
                         schema::v1::ColumnType_Name(feature.column().type()));
}

absl::Status CheckClassCount(const TransformSet& set) {
  const int count = set.label().classes_size();
  const bool fits =
      (set.task() == schema::v1::TASK_BINARY && count == 2) ||
      (set.task() == schema::v1::TASK_MULTICLASS && count >= 3 && count <= kClassesMax) ||
      (set.task() == schema::v1::TASK_REGRESSION && count == 0);
  if (!fits) {
    return InvalidArgument("label '{}': {} does not go with the number of classes, found {}",
                           Excerpt(set.label().column().name()),
                           schema::v1::Task_Name(set.task()),
                           count);
  }
  return absl::OkStatus();
}

absl::Status CheckLabel(const TransformSet& set) {
  if (!set.has_label()) {
    return set.task() == schema::v1::TASK_UNSPECIFIED
               ? absl::OkStatus()
               : InvalidArgument("{} needs a label, found none", schema::v1::Task_Name(set.task()));
  }
  const LabelTransform& label = set.label();
  RETURN_IF_ERROR(CheckColumn(label.column()));
  RETURN_IF_ERROR(CheckClassCount(set));
  const std::unordered_set<std::string_view> distinct(label.classes().begin(),
                                                      label.classes().end());
  if (distinct.size() != static_cast<std::size_t>(label.classes_size())) {
    return InvalidArgument("label '{}': classes must differ", Excerpt(label.column().name()));
  }
  const bool number = IsNumeric(label.column().type());
  if (!number && (set.task() == schema::v1::TASK_REGRESSION ||
                  label.column().type() != schema::v1::COLUMN_TYPE_CATEGORY)) {
    return InvalidArgument("label '{}' does not fit {}, found {}",
                           Excerpt(label.column().name()),
                           schema::v1::Task_Name(set.task()),
                           schema::v1::ColumnType_Name(label.column().type()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTransforms(const TransformSet& set) {
  if (set.features_size() < 1 || set.features_size() > kColumnsMax) {
    return InvalidArgument(
        "a set of transforms has 1 to {} features, found {}", kColumnsMax, set.features_size());
  }
  RETURN_IF_ERROR(CheckLabel(set));
  std::unordered_set<std::string_view> names;
  if (set.has_label()) {
    names.insert(set.label().column().name());
  }
  std::int64_t inputs = 0;
  for (const FeatureTransform& feature : set.features()) {
    RETURN_IF_ERROR(CheckFeature(feature));
    if (!names.insert(feature.column().name()).second) {
      return InvalidArgument("column '{}' stands twice", Excerpt(feature.column().name()));
    }
    inputs += feature.has_one_hot() ? feature.one_hot().categories_size() + 1 : 1;
  }
  if (inputs != set.input_count()) {
    return InvalidArgument(
        "the features make {} inputs, found input_count {}", inputs, set.input_count());
  }
  return absl::OkStatus();
}

}  // namespace millrace::features
