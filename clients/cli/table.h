// Table: rows of words under headings. The one place that aligns columns.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// How a table looks.
struct TableStyle {
  bool wide = false;        // with the columns that not everybody needs
  bool piped = false;       // another program reads it: a tab between cells, no headings
  std::size_t columns = 0;  // of the terminal; 0: a line is as long as its cells make it
};

/// Collects rows and prints them in columns, two blanks apart. A heading that starts with `>` makes
/// its column flush right; a `+` before that shows it in the wide form alone. Widths count Unicode
/// characters, not bytes. Where a terminal is too narrow, the cells of columns that are flush left
/// go on over several lines: those of the last one first, then of those before it. The first column
/// never does, since it has the names.
class Table {
 public:
  /// No headings at all make a list of facts: columns without a first line.
  explicit Table(std::vector<std::string> headings = {});

  /// Missing cells at the end are blank; an empty cell is shown as `-`, and to a program as it is.
  /// No cell has a tab or a line feed: they are shown as other control characters are.
  void Add(std::vector<std::string> cells);

  /// Every line with its line feed.
  [[nodiscard]] std::string ToString(TableStyle style = {}) const;

  /// The same a part at a time: the lines of the rows since the last call, which are forgotten.
  /// Columns may become wider on the way, never narrower.
  std::string TakeLines(TableStyle style = {});

  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  using Cells = std::vector<std::string>;

  [[nodiscard]] bool Shows(std::size_t column, TableStyle style) const;
  [[nodiscard]] std::vector<std::size_t> Fitted(TableStyle style) const;
  [[nodiscard]] std::string Line(const Cells& cells,
                                 const std::vector<std::size_t>& widths,
                                 TableStyle style) const;
  std::string TakeTabbed(TableStyle style);

  Cells headings_;           // without their marks
  std::vector<bool> right_;  // flush right, one a heading
  std::vector<bool> wide_;   // in the wide form alone, one a heading
  std::vector<Cells> rows_;
  std::vector<std::size_t> taken_widths_;  // of the lines that were taken
  bool headings_taken_ = false;
};

/// Unicode characters of a UTF-8 text.
std::size_t Width(std::string_view text);

/// The first `width` characters of a UTF-8 text.
std::string_view Head(std::string_view text, std::size_t width);

/// `text` in lines of at most `width` characters, broken at blanks where there are any. Requires:
/// `width` is positive.
std::vector<std::string> Wrapped(std::string_view text, std::size_t width);

}  // namespace millrace::cli
