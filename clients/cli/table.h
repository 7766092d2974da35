// Table: rows of words under headings. The one place that aligns columns.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// Collects rows and prints them in columns, two blanks apart. A heading that starts with `>` makes
/// its column flush right. Widths count Unicode characters, not bytes.
class Table {
 public:
  /// No headings at all make a list of facts: columns without a first line.
  explicit Table(std::vector<std::string> headings = {});

  /// Missing cells at the end are blank; an empty cell is shown as `-`.
  void Add(std::vector<std::string> cells);

  /// Every line with its line feed.
  [[nodiscard]] std::string ToString() const;

  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<std::string> headings_;  // without their `>`
  std::vector<bool> right_;            // flush right, one a heading
  std::vector<std::vector<std::string>> rows_;
};

/// Unicode characters of a UTF-8 text.
std::size_t Width(std::string_view text);

}  // namespace millrace::cli
