#include "clients/cli/progress.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

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

void Progress::DrawBar(std::int64_t done, std::string_view text) {
  constexpr std::chrono::milliseconds kRedraw{50};
  constexpr std::int64_t kCells = 24;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < kRedraw && done < total_) {
    return;
  }
  drawn_ = now;
  const std::int64_t full = kCells * done / total_;
  const std::string bar = std::string(static_cast<std::size_t>(full), '#') +
                          std::string(static_cast<std::size_t>(kCells - full), '.');
  console_.Redraw(fmt::format("{}  {}  {:3d} %  {}", title_, bar, 100 * done / total_, text));
}

}  // namespace millrace::cli
