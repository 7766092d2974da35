// CallMetrics: what is counted of the calls of one method, and the line that is written of a call.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace millrace::rpc {

/// Keeps, for one method of `package.Service/Method`:
///
/// - `millrace_calls_total{method, code}` calls that ended, by gRPC's code
/// - `millrace_call_seconds{method}` from a call's arrival to its end
/// - `millrace_calls_in_flight{method}`
/// - `millrace_received_bytes_total{method}` of the requests' messages, as they are before TLS and
///   HTTP/2
/// - `millrace_sent_bytes_total{method}` of the answers' messages, likewise
///
/// and writes one line `call` with method, code, milliseconds and the caller's request id: for
/// every call of a method that changes something, and for those that fail, of which at most ten a
/// second. Thread-safe.
class CallMetrics {
 public:
  /// `registry` must outlive it. Two of the same registry and method count together.
  CallMetrics(prometheus::Registry& registry, std::string method, bool changes);
  CallMetrics(const CallMetrics&) = delete;
  CallMetrics& operator=(const CallMetrics&) = delete;

 private:
  friend class CallMeter;
  static constexpr std::size_t kCodes = 17;

  prometheus::Counter& CounterOf(grpc::StatusCode code);

  const std::string method_;
  const bool changes_;
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Histogram& seconds_;
  prometheus::Gauge& in_flight_;
  prometheus::Counter& received_;
  prometheus::Counter& sent_;
  // By code; made when the first call ends with it.
  std::array<std::atomic<prometheus::Counter*>, kCodes> counters_{};
};

/// One call, which arrives when this is made and ends when it is destroyed. Thread-compatible.
class CallMeter {
 public:
  /// The call ends with `code`, unless EndsWith() says otherwise. `metrics` must outlive it.
  CallMeter(CallMetrics& metrics, grpc::StatusCode code) : metrics_(metrics), code_(code) {
    metrics_.in_flight_.Increment();
  }

  ~CallMeter();
  CallMeter(const CallMeter&) = delete;
  CallMeter& operator=(const CallMeter&) = delete;

  [[nodiscard]] std::chrono::steady_clock::time_point arrival() const { return arrival_; }

  void Received(std::size_t bytes) { received_bytes_ += bytes; }

  void Sent(std::size_t bytes) { sent_bytes_ += bytes; }

  /// The call's metadata have come. Only needed where a call may end without EndsWith().
  void Identify(const grpc::CallbackServerContext& context);

  /// The same, where the caller's request id is known.
  void Identify(std::string request_id) { request_id_ = std::move(request_id); }

  /// Before the call ends with `code`. `context` is the call's. A call that was cancelled and of
  /// which nothing else is known counts as CANCELLED.
  void EndsWith(grpc::StatusCode code, const grpc::CallbackServerContext& context);

  [[nodiscard]] grpc::StatusCode code() const { return code_; }

 private:
  CallMetrics& metrics_;
  grpc::StatusCode code_;
  const std::chrono::steady_clock::time_point arrival_ = std::chrono::steady_clock::now();
  std::size_t received_bytes_ = 0;
  std::size_t sent_bytes_ = 0;
  std::string request_id_;
};

}  // namespace millrace::rpc
