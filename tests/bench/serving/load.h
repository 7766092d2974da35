// Load: a closed loop of calls, so many in flight at once.

#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <grpcpp/grpcpp.h>

namespace millrace::serving {

/// One place in flight: makes its call again and again. `Start` begins a call and runs `done` when
/// it has ended, with whether it went well.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual void Start(std::function<void(bool)> done) = 0;
};

/// Calls a second that `in_flight` callers of `make` reach in `duration`. Ends the process when a
/// call fails: a rate of failures is no rate.
double MeasureRate(int in_flight,
                   std::chrono::milliseconds duration,
                   const std::function<std::unique_ptr<Caller>()>& make);

}  // namespace millrace::serving
