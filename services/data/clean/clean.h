// Clean: the rules over sets. Each effect is counted, explained and can be undone by an option.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/features/table.h"

namespace millrace::data {

struct CleanedTable {
  /// The rows that stayed; in its schema, the task and the final roles.
  features::Table table;
  std::vector<v1::CleaningEffect> effects;
};

/// Drops rows without a label and, unless the options keep them, rows that repeat an earlier one in
/// every column. Sets aside columns that the options drop, that are empty, identifiers, texts,
/// categories of more than 1,024 values, or that have one value only. Rules over a single cell are
/// Transforms and not done here.
///
/// `lines` are the file's lines of the rows, `file_name` stands in messages. INVALID_ARGUMENT when
/// no row or no feature is left, or the label cannot be learned (label.h).
absl::StatusOr<CleanedTable> Clean(features::Table table,
                                   const std::vector<std::int64_t>& lines,
                                   const v1::ImportOptions& options,
                                   std::string_view file_name);

}  // namespace millrace::data
