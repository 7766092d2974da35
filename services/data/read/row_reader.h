// RowReader: the rows of a version as cells, one message at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/features/column_segments.h"
#include "common/features/table.h"
#include "services/data/read/read_budget.h"

namespace millrace::data {

/// Reads the rows that a request asks for as they are pulled: a slow reader costs one message and a
/// segment of each column. A cell says what the file's did, as text or number: texts trimmed, a
/// boolean's as the schema spells it, times as ISO 8601 in UTC. Not thread-safe.
class RowReader {
 public:
  /// What a reader of these rows takes at most, about, before any of it is read: a segment of each
  /// column and a message.
  static absl::StatusOr<std::int64_t> EstimateBytes(const features::ColumnSegments& rows);

  /// INVALID_ARGUMENT for a split, first row or row limit out of range.
  static absl::StatusOr<RowReader> Create(std::shared_ptr<const features::ColumnSegments> rows,
                                          const v1::ReadRowsRequest& request);

  /// What it takes, from now on told as it is.
  void Keep(ReadBudget::Share share) { share_ = std::move(share); }

  /// Fills the next message of at most 1 MiB, or of one row; false after the last one. A version
  /// whose reading begins at its end has one message without rows.
  absl::StatusOr<bool> Next(v1::ReadRowsResponse& response);

 private:
  // Where the reading of a column stands.
  struct Cursor {
    std::size_t segment = 0;
    std::int64_t first_row = 0;  // of the segment
    features::ColumnCells cells;
    std::int64_t bytes = 0;  // of the cells
  };

  RowReader(std::shared_ptr<const features::ColumnSegments> rows, schema::v1::Split split);

  [[nodiscard]] bool IsWanted(std::int64_t row) const;
  absl::Status Read(std::int64_t number, schema::v1::Row& row);
  absl::Status Seek(std::size_t column, std::int64_t row);
  void AddCell(std::size_t column, std::int64_t row, schema::v1::Value& value);

  std::shared_ptr<const features::ColumnSegments> rows_;
  schema::v1::Split split_;
  std::int64_t rows_max_ = 0;  // a message
  std::int64_t row_ = 0;       // that comes next, if it is wanted
  std::int64_t place_ = 0;     // of it in the order of the request
  bool begun_ = false;         // whether a message was given
  std::vector<Cursor> cursors_;
  std::string scratch_;
  ReadBudget::Share share_;
  std::int64_t segments_bytes_ = 0;  // of all cursors
};

}  // namespace millrace::data
