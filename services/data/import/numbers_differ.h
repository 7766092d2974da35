// NumbersDiffer: whether no number of a column stands twice.

#pragma once

#include <cstddef>

#include <absl/status/statusor.h>

#include "common/storage/scratch.h"
#include "services/data/import/column_builder.h"
#include "services/data/import/spilled_rows.h"

namespace millrace::data {

/// Marks numbers that would follow one another in a bit each; sorts others on disk. Requires: whole
/// numbers, spilled as such.
absl::StatusOr<bool> NumbersDiffer(const SpilledFile& file,
                                   std::size_t column,
                                   const ColumnFacts& facts,
                                   const storage::Scratch& scratch);

}  // namespace millrace::data
