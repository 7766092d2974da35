// AnswersFile: what has been answered of a long work, kept so that it can go on.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/file_system.h"

namespace millrace::cli {

/// The lines of a CSV file, batch by batch, in a folder of its own: a batch is a file that is there
/// as a whole or not at all. Holds a lock on the folder. Not thread-safe.
class AnswersFile {
 public:
  /// Opens what `folder` has, or begins it. FAILED_PRECONDITION when another process has it open.
  static absl::StatusOr<AnswersFile> Open(const std::string& folder);

  /// Rows that are answered.
  [[nodiscard]] std::int64_t rows() const { return rows_; }

  /// Appends the lines of `rows` rows; they count when this returns OK.
  absl::Status Append(std::string_view lines, std::int64_t rows);

  /// Writes `header` and all lines into one file `file_name` of the folder; returns its path.
  [[nodiscard]] absl::StatusOr<std::string> Join(const std::string& file_name,
                                                 std::string_view header) const;

  /// Removes the folder with all that is in it: the work is done.
  absl::Status Remove();

 private:
  AnswersFile(storage::FolderLock lock, std::string folder)
      : lock_(std::move(lock)),
        folder_(std::move(folder)) {}

  storage::FolderLock lock_;
  std::string folder_;
  std::vector<std::string> parts_;  // names of files, in the order of their rows
  std::int64_t rows_ = 0;
};

/// `text` as one cell of a CSV file: in quotes where it needs them.
std::string CsvCell(std::string_view text);

}  // namespace millrace::cli
