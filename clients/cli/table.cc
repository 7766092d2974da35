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
  const std::vector<std::size_t>& widths = taken_widths_;
  std::string text;
  for (const std::vector<std::string>& line : lines) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!Shows(i, style)) {
        continue;
      }
      const std::string blanks(widths[i] - Width(line[i]), ' ');
      const bool right = i < right_.size() && right_[i];
      out.append(i == 0 ? 0 : kGap, ' ').append(right ? blanks + line[i] : line[i] + blanks);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  }
  return text;
}

}  // namespace millrace::cli
