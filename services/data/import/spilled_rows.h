// SpilledRows: the rows of a file, typed, in temporary files.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "common/features/row_groups.h"
#include "services/data/import/block_source.h"
#include "services/data/import/spill.h"

namespace millrace::data {

/// What was read of one block that has rows.
struct SpilledGroup {
  BlockPlace place;
  std::int64_t rows = 0;
  std::int64_t at = 0;        // in the spill
  std::int64_t again_at = 0;  // in that of the columns that were read again
};

/// How a column's cells become what its type says.
struct CellView {
  enum class Change {
    kNone,
    kBooleans,  // from the two spellings
    kTexts,     // from numbers, whose shortest texts are what the file had
  };

  Change change = Change::kNone;
  int again = -1;  // which of the columns that were read again; -1: it was not
};

/// Everything that the columns of a file were spilled to.
struct SpilledFile {
  schema::v1::Schema schema;
  std::vector<SpilledGroup> groups;
  std::vector<CellView> views;  // one a column
  std::unique_ptr<Spill> spill;
  std::unique_ptr<Spill> again;  // null: no column was read again
};

/// Immutable, thread-safe; its files go with it.
class SpilledRows final : public features::RowGroups {
 public:
  explicit SpilledRows(SpilledFile file);

  [[nodiscard]] const schema::v1::Schema& schema() const override { return file_.schema; }

  [[nodiscard]] std::span<const std::int64_t> bounds() const override { return bounds_; }

  [[nodiscard]] absl::StatusOr<features::ColumnCells> Read(std::size_t group,
                                                           std::size_t column) const override;

  /// The line of the file on which a row begins.
  [[nodiscard]] absl::StatusOr<std::int64_t> LineOf(std::int64_t row) const;

 private:
  SpilledFile file_;
  std::vector<std::int64_t> bounds_;
};

}  // namespace millrace::data
