#include "common/rpc/call_metrics.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "common/rpc/request_id.h"
#include "common/telemetry/log.h"
#include "common/telemetry/rate_limit.h"

namespace millrace::rpc {

namespace {

constexpr int kFailuresPerSecond = 10;

// From what a small prediction takes to what an import takes.
const prometheus::Histogram::BucketBoundaries& Seconds() {
  static const prometheus::Histogram::BucketBoundaries bounds = {0.00005,
                                                                 0.0001,
                                                                 0.00025,
                                                                 0.0005,
                                                                 0.001,
                                                                 0.0025,
                                                                 0.005,
                                                                 0.01,
                                                                 0.025,
                                                                 0.05,
                                                                 0.1,
                                                                 0.25,
                                                                 0.5,
                                                                 1,
                                                                 2.5,
                                                                 5,
                                                                 10,
                                                                 60,
                                                                 600};
  return bounds;
}

constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

std::size_t IndexOf(grpc::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodeNames.size() ? index : static_cast<std::size_t>(grpc::StatusCode::UNKNOWN);
}

prometheus::Counter& CounterIn(prometheus::Registry& registry,
                               const char* name,
                               const char* help,
                               const std::string& method) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(
      {{"method", method}});
}

}  // namespace

CallMetrics::CallMetrics(prometheus::Registry& registry, std::string method, bool changes)
    : method_(std::move(method)),
      changes_(changes),
      calls_(prometheus::BuildCounter()
                 .Name("millrace_calls_total")
                 .Help("Calls that ended, by method and code.")
                 .Register(registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("millrace_call_seconds")
                   .Help("Seconds from a call's arrival to its end.")
                   .Register(registry)
                   .Add({{"method", method_}}, Seconds())),
      in_flight_(prometheus::BuildGauge()
                     .Name("millrace_calls_in_flight")
                     .Help("Calls that have arrived and not ended.")
                     .Register(registry)
                     .Add({{"method", method_}})),
      received_(CounterIn(registry,
                          "millrace_received_bytes_total",
                          "Bytes of the messages that came in calls.",
                          method_)),
      sent_(CounterIn(registry,
                      "millrace_sent_bytes_total",
                      "Bytes of the messages that were sent in answer to calls.",
                      method_)) {}

prometheus::Counter& CallMetrics::CounterOf(grpc::StatusCode code) {
  std::atomic<prometheus::Counter*>& kept = counters_.at(IndexOf(code));
  prometheus::Counter* counter = kept.load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Two calls may come here at once: Add() gives both the same counter.
    counter =
        &calls_.Add({{"method", method_}, {"code", std::string(kCodeNames.at(IndexOf(code)))}});
    kept.store(counter, std::memory_order_release);
  }
  return *counter;
}

void CallMeter::Identify(const grpc::CallbackServerContext& context) {
  // gRPC makes a map of the metadata when it is first asked for: a call that leaves no line does
  // without.
  if (metrics_.changes_ || log::DebugIsOn()) {
    request_id_ = RequestId(context);
  }
}

void CallMeter::EndsWith(grpc::StatusCode code, const grpc::CallbackServerContext& context) {
  // gRPC's own Watch says UNKNOWN when its client has gone.
  code_ = code == grpc::StatusCode::UNKNOWN && context.IsCancelled() ? grpc::StatusCode::CANCELLED
                                                                     : code;
  if (request_id_.empty() && (code != grpc::StatusCode::OK || log::DebugIsOn())) {
    request_id_ = RequestId(context);
  }
}

CallMeter::~CallMeter() {
  const std::chrono::steady_clock::time_point end = std::chrono::steady_clock::now();
  const std::chrono::duration<double> seconds = end - arrival_;
  metrics_.in_flight_.Decrement();
  metrics_.received_.Increment(static_cast<double>(received_bytes_));
  metrics_.sent_.Increment(static_cast<double>(sent_bytes_));
  metrics_.CounterOf(code_).Increment();
  metrics_.seconds_.Observe(seconds.count());

  static log::RateLimit failures(kFailuresPerSecond);
  const bool failed = code_ != grpc::StatusCode::OK;
  const bool told = metrics_.changes_ || (failed && failures.Ask(end).admitted);
  if (told || log::DebugIsOn()) {
    (told ? log::Info : log::Debug)("call",
                                    {{"method", metrics_.method_},
                                     {"code", std::string(kCodeNames.at(IndexOf(code_)))},
                                     {"milliseconds", fmt::format("{:.3f}", seconds.count() * 1e3)},
                                     {"request_id", request_id_}});
  }
}

}  // namespace millrace::rpc
