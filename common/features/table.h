// Table: typed columns in memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/cell.h"
#include "common/features/texts.h"

namespace millrace::features {

/// The cells of one column. Numbers (boolean, integer, real, timestamp) or codes into a dictionary
/// (category, text, identifier); never both.
struct ColumnCells {
  std::vector<double> numbers;
  std::vector<std::int32_t> codes;
  Texts dictionary;                 // in order of first appearance
  std::vector<std::uint8_t> valid;  // 1 where there is a value; numbers and codes are 0 elsewhere

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(valid.size()); }

  /// The cell at `row`; its text lives as long as this column is not changed.
  [[nodiscard]] Cell At(std::int64_t row) const;
};

/// Whether cells of this type are numbers.
bool IsNumeric(schema::v1::ColumnType type);

/// Memory of a cell of this type in ColumnCells, but for its text.
std::int64_t CellBytes(schema::v1::ColumnType type);

/// The class that a label's cell names: a text itself, a boolean's spelling, a number's shortest
/// text. Requires: the cell is not missing.
std::string ClassName(const schema::v1::Column& column, const Cell& cell);

/// Columns of equal length under a schema.
struct Table {
  schema::v1::Schema schema;
  std::vector<ColumnCells> columns;  // one a schema column

  [[nodiscard]] std::int64_t row_count() const {
    return columns.empty() ? 0 : columns.front().size();
  }
};

}  // namespace millrace::features
