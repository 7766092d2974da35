// Profile: what a column says about itself, as it came and in each split.

#pragma once

#include <cstddef>
#include <vector>

#include "millrace/data/v1/data_service.pb.h"

#include "common/features/row_groups.h"
#include "common/statistics/summary.h"

namespace millrace::data {

/// The Statistics of columns that were measured one by one (statistics::Summarize), in their order:
/// of every row as it came, and of the rows of each split, by their marks.
v1::GetStatisticsResponse JoinStatistics(const features::RowMarks& marks,
                                         std::vector<statistics::ColumnSummary> columns);

}  // namespace millrace::data
