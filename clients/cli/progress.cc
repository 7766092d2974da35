#include "clients/cli/progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "clients/cli/table.h"

namespace millrace::cli {

Progress::Progress(Console& console, std::string title, std::int64_t total)
    : console_(console),
      title_(std::move(title)),
      total_(std::max<std::int64_t>(total, 1)) {}

Progress::~Progress() {
  console_.Redraw({});
}

void Progress::Update(std::int64_t done, std::string_view text) {
  done = std::min(done, total_);  // a file may grow while it is read
  if (console_.live()) {
    DrawBar(done, text);
    return;
  }
  const std::int64_t tenths = 10 * done / total_;
  if (tenths > tenths_) {
    tenths_ = tenths;
    console_.Note(fmt::format("{}  {:3d} %  {}", title_, 100 * done / total_, text));
  }
}

std::string Progress::Left(std::int64_t done, std::chrono::steady_clock::time_point now) {
  if (first_done_ < 0) {
    first_done_ = done;
    began_ = now;
  }
  constexpr std::chrono::seconds kSoonest{1};  // before that the rate says little
  if (done == first_done_ || done == total_ || now - began_ < kSoonest) {
    return {};
  }
  const std::chrono::duration<double> spent = now - began_;
  return SpellTime(spent * static_cast<double>(total_ - done) /
                   static_cast<double>(done - first_done_)) +
         " left";
}

void Progress::DrawBar(std::int64_t done, std::string_view text) {
  constexpr std::chrono::milliseconds kRedraw{50};
  const auto now = std::chrono::steady_clock::now();
  const std::string left = Left(done, now);
  if (now - drawn_ < kRedraw && done < total_) {
    return;
  }
  drawn_ = now;
  const double share = static_cast<double>(done) / static_cast<double>(total_);
  console_.Redraw(BarLine(title_, share, left, text, console_.word_columns()));
}

std::string SpellTime(std::chrono::duration<double> time) {
  const auto seconds = static_cast<std::int64_t>(std::ceil(time.count()));
  if (seconds < 100) {
    return fmt::format("{} s", seconds);
  }
  const std::int64_t minutes = (seconds + 59) / 60;
  return minutes < 60 ? fmt::format("{} min", minutes)
                      : fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string BarLine(std::string_view title,
                    double share,
                    std::string_view left,
                    std::string_view text,
                    std::size_t columns) {
  constexpr std::size_t kCells = 24;
  constexpr std::size_t kCellsMin = 8;
  constexpr std::string_view kOptional = "   ";
  const auto line = [&](std::size_t cells) {
    const auto full = static_cast<std::size_t>(static_cast<double>(cells) * share);
    return fmt::format("{}  {}{}  {:3d} %{}{}{}{}",
                       title,
                       std::string(full, '#'),
                       std::string(cells - full, '.'),
                       static_cast<int>(100 * share),
                       left.empty() ? "" : "  ",
                       left,
                       text.empty() ? "" : "  ",
                       text);
  };
  if (columns == 0 || Width(line(kCells)) <= columns) {
    return line(kCells);
  }
  while (Width(line(kCellsMin)) > columns && text.find(kOptional) != std::string_view::npos) {
    text = text.substr(0, text.rfind(kOptional));
  }
  const std::size_t least = Width(line(kCellsMin));
  const std::size_t room = columns > least ? columns - least : 0;
  const std::string fitted = line(std::min(kCells, kCellsMin + room));
  return std::string(Head(fitted, columns));
}

}  // namespace millrace::cli
