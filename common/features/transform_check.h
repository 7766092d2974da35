// TransformCheck: whether a TransformSet makes sense. A bundle may come from anywhere.

#pragma once

#include <absl/status/status.h>

#include "millrace/schema/v1/transforms.pb.h"

namespace millrace::features {

/// Most categories of a one-hot encoding and most classes of a label.
inline constexpr int kCategoriesMax = 1024;
inline constexpr int kClassesMax = 1000;

/// Most columns of a dataset.
inline constexpr int kColumnsMax = 16384;

/// INVALID_ARGUMENT, naming the feature, when the set contradicts itself: an encoding or imputation
/// that does not fit the type, a number that is not finite, categories or classes that are
/// repeated, out of order or too many, classes that do not fit the task, a wrong `input_count`.
absl::Status CheckTransforms(const schema::v1::TransformSet& set);

}  // namespace millrace::features
