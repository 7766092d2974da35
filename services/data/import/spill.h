// Spill: the columns of a file as it was read, block by block, in a temporary file.
//
// A group, which is what was read of one block, is a directory of its columns, the lines on which
// its rows begin, and its columns' cells. Never kept after the import, so without a version.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/features/table.h"
#include "common/storage/blob_store.h"
#include "common/storage/scratch.h"
#include "services/data/import/column_builder.h"

namespace millrace::data {

/// One group's bytes, as they are put together.
class GroupWriter {
 public:
  /// For `columns` columns that will be added in order.
  explicit GroupWriter(std::size_t columns);

  /// How far below the block's first line each row begins. Call first, once.
  void AddLines(const std::vector<std::uint32_t>& lines);

  /// Cells of the kind that they were built under.
  void AddColumn(const features::ColumnCells& cells, CellKind kind);

  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::size_t column_ = 0;
};

/// A temporary file of groups, written by many threads and then read by many.
class Spill {
 public:
  static absl::StatusOr<std::unique_ptr<Spill>> Create(const storage::Scratch& scratch);

  /// Appends a group and returns where it stands. Thread-safe.
  absl::StatusOr<std::int64_t> Append(std::string_view group);

  /// Ends writing.
  absl::Status Close();

  /// The cells of a column in a group that stands at `group` and has `rows`. Thread-safe.
  [[nodiscard]] absl::StatusOr<features::ColumnCells> Read(std::int64_t group,
                                                           std::size_t column,
                                                           std::int64_t rows) const;

  /// How far below the block's first line a row of the group begins. `columns` are the group's.
  [[nodiscard]] absl::StatusOr<std::uint32_t> LineOf(std::int64_t group,
                                                     std::size_t columns,
                                                     std::int64_t row) const;

 private:
  Spill(storage::FileSystem& files, std::unique_ptr<storage::StagedFile> staged)
      : files_(files),
        staged_(std::move(staged)) {}

  [[nodiscard]] absl::StatusOr<std::string> ReadBytes(std::int64_t offset, std::int64_t size) const;

  storage::FileSystem& files_;
  std::mutex mutex_;
  std::unique_ptr<storage::StagedFile> staged_;  // guarded by mutex_ until Close()
  std::unique_ptr<storage::ReadableFile> file_;
};

}  // namespace millrace::data
