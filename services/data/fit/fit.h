// Fit: Transforms from the train split, which every other row then goes through.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"
#include "millrace/schema/v1/transforms.pb.h"

#include "common/features/row_groups.h"

namespace millrace::data {

struct FitOptions {
  v1::Scaling scaling = v1::SCALING_MIN_MAX;
  schema::v1::Task task = schema::v1::TASK_UNSPECIFIED;
  std::string positive_class;
  std::string file_name;  // for messages
};

/// What is done to one column, and to how many cells.
struct FittedColumn {
  std::optional<schema::v1::FeatureTransform> feature;  // if it is one
  std::optional<schema::v1::LabelTransform> label;      // if it is the label
  std::int64_t missing_count = 0;                       // among the kept rows
};

/// Fits one column of the cleaned rows, `column` in their schema, on those of the train split:
/// - numbers: a missing cell becomes the median (the mean of the middle two); scaled as the options
///   say, to [0, 1] by default; a column without spread becomes 0;
/// - categories: a missing cell becomes the most frequent one (of equals the first in byte order);
///   one input each, in byte order, and one for all others.
/// The label's classes are in byte order, the options' positive class last.
///
/// INVALID_ARGUMENT when a number of any kept row leaves the range of a float32 once scaled.
absl::StatusOr<FittedColumn> FitColumn(features::ColumnReader& reader,
                                       const schema::v1::Column& column,
                                       const features::RowMarks& marks,
                                       const FitOptions& options);

/// The set of them, in the order of the columns.
absl::StatusOr<schema::v1::TransformSet> JoinTransforms(const schema::v1::Schema& schema,
                                                        std::vector<FittedColumn> columns);

/// An `imputed_cells` effect for each feature that misses a value in some row.
std::vector<v1::CleaningEffect> ImputedCells(const std::vector<FittedColumn>& columns);

}  // namespace millrace::data
