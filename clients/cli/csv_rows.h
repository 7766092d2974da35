// CsvRows: the rows of a CSV file as raw cells, for predictions.

#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace millrace::cli {

/// A CSV file in memory: names from its first record, cells as they stand there.
struct CsvRows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each with one cell a column
};

/// Reads the file at `path`. `delimiter` is one character that
/// is neither a quote nor a line's end. NOT_FOUND when there is no file, and
/// INVALID_ARGUMENT with file and line for a record that is no CSV or has another number of cells.
absl::StatusOr<CsvRows> ReadCsv(const std::string& path, char delimiter);

}  // namespace millrace::cli
