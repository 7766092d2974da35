// Progress: a sign of life while something long goes on.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "clients/cli/console.h"

namespace millrace::cli {

/// A bar on a live terminal with the time that is left, redrawn at most 20 times a second and never
/// wider than the terminal; elsewhere a plain line at each tenth of the way. Does not own
/// `console`. Not thread-safe.
class Progress {
 public:
  /// `total` is what done counts up to; from 1 up.
  Progress(Console& console, std::string title, std::int64_t total);

  /// Takes the bar away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `text` says how it goes, in a few words; three blanks stand before what can be left out.
  void Update(std::int64_t done, std::string_view text);

 private:
  void DrawBar(std::int64_t done, std::string_view text);
  std::string Left(std::int64_t done, std::chrono::steady_clock::time_point now);

  Console& console_;
  std::string title_;
  std::int64_t total_;
  std::int64_t tenths_ = 0;  // that have been told
  std::chrono::steady_clock::time_point drawn_{};
  std::int64_t first_done_ = -1;  // when the time began
  std::chrono::steady_clock::time_point began_{};
};

/// `8 s`, `3 min`, `2 h 5 min`.
std::string SpellTime(std::chrono::duration<double> time);

/// One line of at most `columns` characters, 0 for any number: title, bar, percent, time that is
/// left (may be empty) and of `text` what has room.
std::string BarLine(std::string_view title,
                    double share,
                    std::string_view left,
                    std::string_view text,
                    std::size_t columns);

}  // namespace millrace::cli
