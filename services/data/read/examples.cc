#include "services/data/read/examples.h"

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "common/status/status.h"

namespace millrace::data {

const std::vector<std::int64_t>* RowsOf(const Examples& examples, schema::v1::Split split) {
  switch (split) {
    case schema::v1::SPLIT_TRAIN:
      return &examples.train;
    case schema::v1::SPLIT_VALIDATION:
      return &examples.validation;
    case schema::v1::SPLIT_TEST:
      return &examples.test;
    default:
      return nullptr;
  }
}

absl::StatusOr<std::int64_t> EstimateBytes(const features::ColumnSegments& rows) {
  const auto row_count = static_cast<std::int64_t>(rows.marks().size());
  std::int64_t bytes = row_count * static_cast<std::int64_t>(sizeof(std::int64_t));
  for (int c = 0; c < rows.schema().columns_size(); ++c) {
    const schema::v1::Column& column = rows.schema().columns(c);
    if (column.role() == schema::v1::COLUMN_ROLE_SET_ASIDE) {
      continue;
    }
    const auto index = static_cast<std::size_t>(c);
    bytes += row_count * features::CellBytes(column.type());
    if (!features::IsNumeric(column.type())) {
      // A text that is in many segments is in the table once.
      ASSIGN_OR_RETURN(const std::vector<std::int64_t> encoded, rows.EncodedBytes(index));
      bytes += std::accumulate(encoded.begin(), encoded.end(), std::int64_t{0});
    }
  }
  return bytes;
}

std::int64_t SizeBytes(const Examples& examples) {
  std::size_t bytes = sizeof(Examples);
  for (const features::ColumnCells& column : examples.table.columns) {
    bytes += column.numbers.size() * sizeof(double) + column.codes.size() * sizeof(std::int32_t) +
             column.valid.size() + column.dictionary.MemoryBytes();
  }
  const auto rows = static_cast<std::size_t>(examples.table.row_count());
  return static_cast<std::int64_t>(bytes + rows * sizeof(std::int64_t));
}

}  // namespace millrace::data
