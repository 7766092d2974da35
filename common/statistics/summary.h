// Summary: the Statistics of rows of a Table.

#pragma once

#include <cstdint>
#include <span>

#include "millrace/schema/v1/statistics.pb.h"

#include "common/features/table.h"

namespace millrace::statistics {

/// Measures every column over `rows` (indices into the table). Deterministic: the same table and
/// rows give the same figures on every machine.
schema::v1::Statistics Summarize(const features::Table& table, std::span<const std::int64_t> rows);

/// The same over all rows.
schema::v1::Statistics Summarize(const features::Table& table);

}  // namespace millrace::statistics
