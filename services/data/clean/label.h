// Label: what the label column asks a network to learn.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"

#include "common/features/transform_check.h"

namespace millrace::data {

/// What stands in a label's column.
struct LabelValues {
  std::vector<std::string> classes;  // different ones; when over features::kClassesMax, some more
  std::int64_t rows = 0;
  std::int64_t classes_max = features::kClassesMax;  // that may be classified
};

/// The task of the label column.
///
/// A boolean or category is classified. So is an integer of at most two different values, or of at
/// most 20 that stand in ten rows each on average; other integers, and reals, are a regression. Who
/// knows better gives the label's type: category for classes, real for a number.
///
/// INVALID_ARGUMENT when there is a single class or value, more than `classes_max` classes, a
/// timestamp, or a positive class that is none of two classes.
absl::StatusOr<schema::v1::Task> DecideTask(const schema::v1::Column& column,
                                            const LabelValues& values,
                                            const v1::ImportOptions& options,
                                            std::string_view file_name);

}  // namespace millrace::data
