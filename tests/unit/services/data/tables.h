// Tables: typed columns, as the tests of the steps build them.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/table.h"

namespace millrace::data {

/// Adds a column of numbers; NaN stands for a missing cell.
inline void AddNumbers(features::Table& table,
                       const std::string& name,
                       const std::vector<double>& numbers,
                       schema::v1::ColumnType type = schema::v1::COLUMN_TYPE_REAL) {
  schema::v1::Column& column = *table.schema.add_columns();
  column.set_name(name);
  column.set_type(type);
  column.set_role(schema::v1::COLUMN_ROLE_FEATURE);
  features::ColumnCells& cells = table.columns.emplace_back();
  for (const double number : numbers) {
    const bool missing = number != number;
    cells.numbers.push_back(missing ? 0 : number);
    cells.valid.push_back(missing ? 0 : 1);
  }
}

/// Adds a column of texts; the empty text stands for a missing cell.
inline void AddTexts(features::Table& table,
                     const std::string& name,
                     const std::vector<std::string>& texts,
                     schema::v1::ColumnType type = schema::v1::COLUMN_TYPE_CATEGORY) {
  schema::v1::Column& column = *table.schema.add_columns();
  column.set_name(name);
  column.set_type(type);
  column.set_role(schema::v1::COLUMN_ROLE_FEATURE);
  features::ColumnCells& cells = table.columns.emplace_back();
  std::map<std::string, std::int32_t> codes;
  for (const std::string& text : texts) {
    cells.valid.push_back(text.empty() ? 0 : 1);
    if (text.empty()) {
      cells.codes.push_back(0);
      continue;
    }
    const auto added = codes.emplace(text, static_cast<std::int32_t>(codes.size()));
    if (added.second) {
      cells.dictionary.push_back(text);
    }
    cells.codes.push_back(added.first->second);
  }
}

/// Makes the last column the label.
inline void MakeLabel(features::Table& table) {
  table.schema.mutable_columns()->rbegin()->set_role(schema::v1::COLUMN_ROLE_LABEL);
}

}  // namespace millrace::data
