// Loops: calls that follow each other, and calls that come when they are due.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

namespace millrace::serving {

/// Begins a call of its own and tells once, on any thread, how it ended.
using Begin = std::function<void(std::function<void(const grpc::Status&)> done)>;

/// How the calls of a loop ended. Latencies are in milliseconds, ascending.
struct Outcome {
  std::vector<double> answered_ms;
  std::vector<double> refused_ms;  // RESOURCE_EXHAUSTED
  std::int64_t failed = 0;         // anything else
  std::string failure;             // the last of these
  double seconds = 0;              // from the first call to the last answer

  [[nodiscard]] double rate() const { return static_cast<double>(answered_ms.size()) / seconds; }
};

/// `in_flight` callers, each making its next call when the one before has ended.
Outcome ClosedLoop(int in_flight, std::chrono::milliseconds duration, const Begin& begin);

/// Calls at random times (Poisson), `rate` a second, whatever becomes of the others. Latencies
/// count from when a call was due: a client that comes late does not make the service look fast.
Outcome OpenLoop(double rate, std::chrono::milliseconds duration, const Begin& begin);

/// The value below which that share of ascending `values` lies, 0 of none.
double Quantile(const std::vector<double>& values, double share);

}  // namespace millrace::serving
