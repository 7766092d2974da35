// Progress: a sign of life while something long goes on.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "clients/cli/console.h"

namespace millrace::cli {

/// A bar on a live terminal, redrawn at most 20 times a second; elsewhere a plain line at each
/// tenth of the way. Does not own `console`. Not thread-safe.
class Progress {
 public:
  /// `total` is what done counts up to; from 1 up.
  Progress(Console& console, std::string title, std::int64_t total);

  /// Takes the bar away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `text` says how it goes, in a few words.
  void Update(std::int64_t done, std::string_view text);

 private:
  void DrawBar(std::int64_t done, std::string_view text);

  Console& console_;
  std::string title_;
  std::int64_t total_;
  std::int64_t tenths_ = 0;  // that have been told
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace millrace::cli
