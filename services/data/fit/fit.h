// Fit: Transforms from the train split, which every other row then goes through.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/transforms.pb.h"

#include "common/features/table.h"

namespace millrace::data {

/// Fits every feature of a cleaned table on the rows `train`, in the order of its columns:
/// - numbers: a missing cell becomes the median (the mean of the middle two); scaled as the options
///   say, to [0, 1] by default; a column without spread becomes 0;
/// - categories: a missing cell becomes the most frequent one (of equals the first in byte order);
///   one input each, in byte order, and one for all others.
/// The label's classes are in byte order, the options' positive class last.
///
/// INVALID_ARGUMENT when a number of any row leaves the range of a float32 once scaled.
absl::StatusOr<schema::v1::TransformSet> FitTransforms(const features::Table& table,
                                                       std::span<const std::int64_t> train,
                                                       const v1::ImportOptions& options,
                                                       std::string_view file_name);

/// An `imputed_cells` effect for each feature that misses a value in some row.
std::vector<v1::CleaningEffect> ImputedCells(const features::Table& table,
                                             const schema::v1::TransformSet& transforms);

}  // namespace millrace::data
