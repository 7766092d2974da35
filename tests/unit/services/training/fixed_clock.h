// FixedClock: a clock that stands where a test sets it.

#pragma once

#include <chrono>

#include "common/clock/clock.h"

namespace millrace::training {

class FixedClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point Now() const override {
    return std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  }
};

}  // namespace millrace::training
