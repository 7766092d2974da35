// Dialect: which character parts the cells of a file.

#pragma once

#include <string_view>

namespace millrace::csv {

/// How the beginning of a file looks under the delimiter that fits best.
struct DetectedDelimiter {
  char delimiter = ',';

  /// Whether some delimiter parts the sample's rows; otherwise the file has one column and
  /// `delimiter` is the comma by default.
  bool found = false;
};

/// Tries comma, semicolon, tab and bar on a sample, which is the whole file or its beginning of at
/// least 64 KiB. The one under which most rows have the same number of cells, two or more, wins;
/// then the one with more cells a row; then the order above.
DetectedDelimiter DetectDelimiter(std::string_view sample, bool is_whole_file);

}  // namespace millrace::csv
