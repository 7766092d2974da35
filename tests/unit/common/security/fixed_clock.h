// FixedClock: a time of day that a test sets.

#pragma once

#include <chrono>

#include "common/clock/clock.h"

namespace millrace::security {

/// Tells `now`. Not thread-safe.
class FixedClock final : public Clock {
 public:
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();

  [[nodiscard]] std::chrono::system_clock::time_point Now() const override { return now; }
};

}  // namespace millrace::security
