// RowFilter: which rows of a table stay, and the table without the others.

#pragma once

#include <cstdint>
#include <vector>

#include "common/features/table.h"

namespace millrace::data {

/// Rows of `table` that say exactly what an earlier row of `rows` says. Both ascend.
std::vector<std::int64_t> RepeatedRows(const features::Table& table,
                                       const std::vector<std::int64_t>& rows);

/// Keeps `rows` (ascending) alone. Dictionaries lose the texts that no row has and keep the order
/// of first appearance.
void KeepRows(features::Table& table, const std::vector<std::int64_t>& rows);

}  // namespace millrace::data
