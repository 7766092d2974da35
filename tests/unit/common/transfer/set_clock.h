// SetClock: a time of day that a test sets, from any thread.

#pragma once

#include <atomic>
#include <chrono>

#include "common/clock/clock.h"

namespace millrace::transfer {

/// Stands until it is moved. Thread-safe.
class SetClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point Now() const override {
    return std::chrono::system_clock::time_point(std::chrono::seconds(seconds_));
  }

  void Advance(std::chrono::seconds time) { seconds_ += time.count(); }

 private:
  std::atomic<std::int64_t> seconds_{1'700'000'000};
};

}  // namespace millrace::transfer
