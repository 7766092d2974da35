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
    cell = cell.empty() ? "-" : Printable(cell);
  }
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(bool wide) const {
  return Table(*this).TakeLines(wide);
}

std::string Table::TakeLines(bool wide) {
  std::vector<Cells> lines;
  if (!headings_.empty() && !headings_taken_) {
    lines.push_back(headings_);
  }
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  rows_.clear();
  headings_taken_ = true;
  Widen(lines, taken_widths_);
  const std::vector<std::size_t>& widths = taken_widths_;
  std::string text;
  for (const std::vector<std::string>& line : lines) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!wide && i < wide_.size() && wide_[i]) {
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
