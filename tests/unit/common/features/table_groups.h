// TableGroups: a table in memory as row groups, of any size, so that tests can show that the size
// means nothing.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/features/ranked_rows.h"
#include "common/features/row_groups.h"
#include "common/features/table.h"
#include "common/storage/blob_store.h"
#include "common/storage/file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::features {

/// Owns the table. Each group has a dictionary of its own, in order of first appearance.
class TableGroups final : public RowGroups {
 public:
  explicit TableGroups(Table table, std::int64_t group_rows = 3)
      : table_(std::move(table)),
        bounds_{0} {
    while (bounds_.back() < table_.row_count()) {
      bounds_.push_back(std::min(table_.row_count(), bounds_.back() + group_rows));
    }
  }

  [[nodiscard]] const schema::v1::Schema& schema() const override { return table_.schema; }

  [[nodiscard]] std::span<const std::int64_t> bounds() const override { return bounds_; }

  [[nodiscard]] absl::StatusOr<ColumnCells> Read(std::size_t group,
                                                 std::size_t column) const override {
    const bool numeric = IsNumeric(table_.schema.columns(static_cast<int>(column)).type());
    ColumnJoiner joiner(numeric);
    joiner.Add(table_.columns[column],
               static_cast<std::size_t>(bounds_[group]),
               static_cast<std::size_t>(bounds_[group + 1]));
    return joiner.Release();
  }

 private:
  Table table_;
  std::vector<std::int64_t> bounds_;
};

/// Every row kept.
inline RowMarks AllKept(const Table& table) {
  RowMarks marks(static_cast<std::size_t>(table.row_count()), kKept);
  return marks;
}

/// The marks of `rows` are kept, those of all others dropped.
inline RowMarks OnlyKept(const Table& table, const std::vector<std::int64_t>& rows) {
  RowMarks marks(static_cast<std::size_t>(table.row_count()), kDropped);
  for (const std::int64_t row : rows) {
    marks[static_cast<std::size_t>(row)] = kKept;
  }
  return marks;
}

/// The rows of a mark, ascending.
inline std::vector<std::int64_t> RowsWith(const RowMarks& marks, int mark) {
  std::vector<std::int64_t> rows;
  for (std::size_t row = 0; row < marks.size(); ++row) {
    if (marks[row] == mark) {
      rows.push_back(static_cast<std::int64_t>(row));
    }
  }
  return rows;
}

/// The rows that are not dropped as a table under `schema`.
inline Table Gathered(const RowGroups& rows,
                      const schema::v1::Schema& schema,
                      const RowMarks& marks) {
  Table table;
  table.schema = schema;
  for (std::size_t c = 0; c < rows.column_count(); ++c) {
    ColumnJoiner joiner(IsNumeric(schema.columns(static_cast<int>(c)).type()));
    for (std::size_t group = 0; group < rows.group_count(); ++group) {
      const auto cells = rows.Read(group, c);
      EXPECT_TRUE(cells.ok()) << cells.status();
      const auto first = static_cast<std::size_t>(rows.bounds()[group]);
      for (std::size_t i = 0; i < cells->valid.size(); ++i) {
        if (marks[first + i] != kDropped) {
          joiner.Add(*cells, i, i + 1);
        }
      }
    }
    table.columns.push_back(joiner.Release());
  }
  return table;
}

/// Every row.
inline Table Gathered(const RowGroups& rows) {
  return Gathered(rows, rows.schema(), RowMarks(static_cast<std::size_t>(rows.row_count()), kKept));
}

/// The rows ranked, with the label's words where the schema has a label.
inline absl::StatusOr<RankedRows> Ranked(const RowGroups& rows,
                                         HashKey key,
                                         const storage::TemporaryFolder& folder) {
  int label = -1;
  for (int c = 0; c < rows.schema().columns_size(); ++c) {
    if (rows.schema().columns(c).role() == schema::v1::COLUMN_ROLE_LABEL) {
      label = c;
    }
  }
  return RankedRows::Rank(rows,
                          {.key = key, .label = label, .threads = 2, .stop = {}},
                          {.files = storage::PosixFileSystem(), .folder = folder.path()});
}

}  // namespace millrace::features
