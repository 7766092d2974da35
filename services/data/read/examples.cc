#include "services/data/read/examples.h"

#include <string>

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
