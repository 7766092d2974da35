#include "clients/cli/table.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clients/cli/failure.h"

namespace millrace::cli {

namespace {

constexpr std::size_t kGap = 2;

// Makes `widths` wide enough for `rows`.
void Widen(const std::vector<std::vector<std::string>>& rows, std::vector<std::size_t>& widths) {
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], Width(row[i]));
    }
  }
}

}  // namespace

std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;  // not a continuation byte
  }));
}

std::string_view Head(std::string_view text, std::size_t width) {
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
    if (begins && seen++ == width) {
      break;
    }
  }
  return text.substr(0, end);
}

std::vector<std::string> Wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (Width(text) > width) {
    const std::string_view head = Head(text, width);
    // A blank behind the line is a place to break it, too.
    const std::size_t blank = text.substr(0, head.size() + 1).rfind(' ');
    const bool at_blank = blank != std::string_view::npos && blank > 0;
    lines.emplace_back(at_blank ? text.substr(0, blank) : head);
    text.remove_prefix(at_blank ? blank + 1 : head.size());
  }
  lines.emplace_back(text);
  return lines;
}

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (std::string& heading : headings_) {
    wide_.push_back(heading.starts_with('+'));
    heading.erase(0, wide_.back() ? 1 : 0);
    right_.push_back(heading.starts_with('>'));
    heading = Printable(heading.substr(right_.back() ? 1 : 0));
  }
}

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) {
    cell = Printable(cell);
  }
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(TableStyle style) const {
  return Table(*this).TakeLines(style);
}

bool Table::Shows(std::size_t column, TableStyle style) const {
  return style.wide || column >= wide_.size() || !wide_[column];
}

std::string Table::TakeTabbed(TableStyle style) {
  std::string text;
  for (const Cells& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (Shows(i, style)) {
        line.append(i == 0 ? 0 : 1, '\t').append(row[i]);
      }
    }
    text += line + "\n";
  }
  rows_.clear();
  return text;
}

// The width of each column, so that a line fits the terminal where that can be had.
std::vector<std::size_t> Table::Fitted(TableStyle style) const {
  std::vector<std::size_t> widths = taken_widths_;
  if (style.columns == 0) {
    return widths;
  }
  std::size_t total = 0;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    total += Shows(i, style) ? widths[i] + (shown++ == 0 ? 0 : kGap) : 0;
  }
  constexpr std::size_t kNarrowest = 12;
  for (std::size_t i = widths.size(); i-- > 1 && total > style.columns;) {
    const bool left = i >= right_.size() || !right_[i];
    if (Shows(i, style) && left && widths[i] > kNarrowest) {
      const std::size_t cut = std::min(widths[i] - kNarrowest, total - style.columns);
      widths[i] -= cut;
      total -= cut;
    }
  }
  return widths;
}

std::string Table::Line(const Cells& cells,
                        const std::vector<std::size_t>& widths,
                        TableStyle style) const {
  std::vector<std::vector<std::string>> parts;  // of each cell, one a line
  std::size_t height = 1;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    parts.push_back(Wrapped(cells[i], std::max<std::size_t>(widths[i], 1)));
    height = Shows(i, style) ? std::max(height, parts.back().size()) : height;
  }
  std::string text;
  for (std::size_t row = 0; row < height; ++row) {
    std::string out;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (!Shows(i, style)) {
        continue;
      }
      const std::string part = row < parts[i].size() ? parts[i][row] : "";
      const std::string blanks(widths[i] - Width(part), ' ');
      const bool right = i < right_.size() && right_[i];
      out.append(i == 0 ? 0 : kGap, ' ').append(right ? blanks + part : part + blanks);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  }
  return text;
}

std::string Table::TakeLines(TableStyle style) {
  if (style.piped) {
    return TakeTabbed(style);
  }
  std::vector<Cells> lines;
  if (!headings_.empty() && !headings_taken_) {
    lines.push_back(headings_);
  }
  for (Cells& row : rows_) {
    std::replace(row.begin(), row.end(), std::string(), std::string("-"));
    lines.push_back(std::move(row));
  }
  rows_.clear();
  headings_taken_ = true;
  Widen(lines, taken_widths_);
  const std::vector<std::size_t> widths = Fitted(style);
  std::string text;
  for (const Cells& line : lines) {
    text += Line(line, widths, style);
  }
  return text;
}

}  // namespace millrace::cli
