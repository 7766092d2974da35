#include "services/data/profile/profile.h"

#include <algorithm>
#include <utility>

#include "millrace/schema/v1/schema.pb.h"

namespace millrace::data {

v1::GetStatisticsResponse JoinStatistics(const features::RowMarks& marks,
                                         std::vector<statistics::ColumnSummary> columns) {
  const auto rows_of = [&](schema::v1::Split split) {
    return std::count(marks.begin(), marks.end(), static_cast<std::uint8_t>(split));
  };
  v1::GetStatisticsResponse joined;
  joined.mutable_raw()->set_row_count(static_cast<std::int64_t>(marks.size()));
  joined.mutable_train()->set_row_count(rows_of(schema::v1::SPLIT_TRAIN));
  joined.mutable_validation()->set_row_count(rows_of(schema::v1::SPLIT_VALIDATION));
  joined.mutable_test()->set_row_count(rows_of(schema::v1::SPLIT_TEST));
  for (statistics::ColumnSummary& column : columns) {
    *joined.mutable_raw()->add_columns() = std::move(column.all);
    *joined.mutable_train()->add_columns() = std::move(column.of_mark[schema::v1::SPLIT_TRAIN]);
    *joined.mutable_validation()->add_columns() =
        std::move(column.of_mark[schema::v1::SPLIT_VALIDATION]);
    *joined.mutable_test()->add_columns() = std::move(column.of_mark[schema::v1::SPLIT_TEST]);
  }
  return joined;
}

}  // namespace millrace::data
