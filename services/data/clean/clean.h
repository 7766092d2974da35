// Clean: the rules over sets. Each effect is counted, explained and can be undone by an option.

#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"

#include "common/features/ranked_rows.h"
#include "common/features/row_groups.h"
#include "common/features/transform_check.h"

namespace millrace::data {

/// A file's rows, as cleaning looks at them. Owns nothing.
struct RawRows {
  const features::RowGroups& rows;
  const features::RankedRows& ranked;  // the same rows, with the label's words

  /// The file's line of a row.
  std::function<absl::StatusOr<std::int64_t>(std::int64_t row)> line_of;

  std::string file_name;  // for messages
  int threads = 1;
  std::int64_t categories_max = features::kCategoriesMax;  // of a feature
  std::int64_t classes_max = features::kClassesMax;        // of the label
  std::stop_token stop;
};

struct CleanedRows {
  schema::v1::Schema schema;   // the task and the final roles
  features::RowMarks marks;    // kKept or kDropped
  std::int64_t row_count = 0;  // that are kept
  std::vector<v1::CleaningEffect> effects;

  /// Names of columns that are set aside for `categories_max` alone: features::kCategoriesMax would
  /// take them. With these among the columns to drop, the options say what is made of a file.
  std::vector<std::string> over_limit;
};

/// Drops rows without a label and, unless the options keep them, rows that repeat an earlier one in
/// every column. Sets aside columns that the options drop, that are empty, identifiers, texts,
/// categories of more than `categories_max` values, or that have one value only. Rules over a
/// single cell are Transforms and not done here.
///
/// INVALID_ARGUMENT when no row or no feature is left, or the label cannot be learned (label.h).
absl::StatusOr<CleanedRows> Clean(const RawRows& raw, const v1::ImportOptions& options);

}  // namespace millrace::data
