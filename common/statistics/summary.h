// Summary: the ColumnStatistics of a column, and of each split of it.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <absl/status/statusor.h>

#include "millrace/schema/v1/statistics.pb.h"

#include "common/features/row_groups.h"

namespace millrace::statistics {

/// What was measured of one column.
struct ColumnSummary {
  schema::v1::ColumnStatistics all;
  std::array<schema::v1::ColumnStatistics, 4> of_mark;  // by the rows' mark
};

/// Measures a column in two passes, texts in up to three, in bounded memory. Deterministic: the
/// same cells and marks give the same figures on every machine, whatever the groups. With more than
/// FrequentTexts::kExactMax different texts, the top values are those in more than one of
/// FrequentTexts::kShare rows of the column.
absl::StatusOr<ColumnSummary> Summarize(features::ColumnReader& reader,
                                        const features::RowMarks& marks);

}  // namespace millrace::statistics
