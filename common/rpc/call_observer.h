// CallObserver: counts, times and logs every call that a server answers.

#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "common/rpc/access.h"

namespace millrace::rpc {

/// Keeps, for each method of `package.Service/Method`:
///
/// - `millrace_calls_total{method, code}` calls that ended, by gRPC's code
/// - `millrace_call_seconds{method}` from the arrival of a call's metadata to its end
/// - `millrace_calls_in_flight{method}`
/// - `millrace_sent_bytes_total{method}` of the answers' messages, as they are before TLS and
/// HTTP/2
///
/// and writes one line `call` with method, code, milliseconds and the caller's request id: for
/// every call that changes something, and for those that fail, of which at most ten a second.
/// Thread-safe.
class CallObserver {
 public:
  /// `permissions` tell which methods change something. `registry` must outlive the observer, and
  /// the observer the server.
  CallObserver(prometheus::Registry& registry, Permissions permissions);
  ~CallObserver();
  CallObserver(const CallObserver&) = delete;
  CallObserver& operator=(const CallObserver&) = delete;

  /// For one ServerBuilder.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Creator();

  /// Called by the interceptors.
  class Method;
  Method& Find(std::string_view method);
  void Ended(Method& method,
             grpc::StatusCode code,
             std::chrono::steady_clock::duration duration,
             const std::string& request_id);

 private:
  const Permissions permissions_;
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Family<prometheus::Gauge>& in_flight_;
  prometheus::Family<prometheus::Counter>& sent_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;  // guarded by mutex_
};

}  // namespace millrace::rpc
