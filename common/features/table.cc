#include "common/features/table.h"

namespace millrace::features {

Cell ColumnCells::At(std::int64_t row) const {
  const auto i = static_cast<std::size_t>(row);
  if (valid[i] == 0) {
    return {};
  }
  if (codes.empty()) {
    return {.kind = Cell::Kind::kNumber, .number = numbers[i], .text = {}};
  }
  return {.kind = Cell::Kind::kText,
          .number = 0,
          .text = dictionary[static_cast<std::size_t>(codes[i])]};
}

std::int64_t CellBytes(schema::v1::ColumnType type) {
  const std::size_t value = IsNumeric(type) ? sizeof(double) : sizeof(std::int32_t);
  return static_cast<std::int64_t>(value + sizeof(std::uint8_t));
}

bool IsNumeric(schema::v1::ColumnType type) {
  switch (type) {
    case schema::v1::COLUMN_TYPE_BOOLEAN:
    case schema::v1::COLUMN_TYPE_INTEGER:
    case schema::v1::COLUMN_TYPE_REAL:
    case schema::v1::COLUMN_TYPE_TIMESTAMP:
      return true;
    default:
      return false;
  }
}

std::string ClassName(const schema::v1::Column& column, const Cell& cell) {
  if (cell.kind == Cell::Kind::kText) {
    return std::string(cell.text);
  }
  if (column.type() == schema::v1::COLUMN_TYPE_BOOLEAN) {
    return cell.number == 0 ? column.false_spelling() : column.true_spelling();
  }
  std::string text;
  ShortestText(cell.number, text);
  return text;
}

}  // namespace millrace::features
