// ColumnSegments: the columns of a stored table, each in segments of its own.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/row_groups.h"
#include "common/features/table.h"

namespace millrace::features {

/// Immutable and thread-safe.
class ColumnSegments {
 public:
  virtual ~ColumnSegments() = default;

  [[nodiscard]] virtual const schema::v1::Schema& schema() const = 0;

  /// The split of each row.
  [[nodiscard]] virtual const RowMarks& marks() const = 0;

  /// Rows up to the end of each segment of a column, ascending.
  [[nodiscard]] virtual std::span<const std::int64_t> end_rows(std::size_t column) const = 0;

  /// Bytes of each of a column's segments as it is encoded, which tell about the memory that its
  /// texts take. Fails as the disk does.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::int64_t>> EncodedBytes(
      std::size_t column) const = 0;

  /// Reads and verifies a segment. Fails as the disk does.
  [[nodiscard]] virtual absl::StatusOr<ColumnCells> Read(std::size_t column,
                                                         std::size_t segment) const = 0;
};

}  // namespace millrace::features
