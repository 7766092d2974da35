// Clock: time as an argument, so that tests can set it.

#pragma once

#include <chrono>

namespace millrace {

/// Tells the time of day. Durations are measured with std::chrono::steady_clock instead.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual std::chrono::system_clock::time_point Now() const = 0;
};

/// The machine's clock. Thread-safe.
const Clock& SystemClock();

}  // namespace millrace
