// CallObserver: counts, times and logs the calls that a server answers.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>
#include <prometheus/registry.h>

#include "common/rpc/access.h"
#include "common/rpc/call_metrics.h"

namespace millrace::rpc {

/// Keeps CallMetrics of every method. A call that is intercepted passes gRPC's queue three times
/// more, which a prediction of some microseconds would feel: its handler counts by itself, and is
/// passed over here. Thread-safe.
class CallObserver {
 public:
  /// `services` are the server's, set before the first call; methods that they do not have, and
  /// those of `passed_over`, are not observed. `permissions` tell which methods change something.
  /// `registry` must outlive the observer, and the observer the server.
  CallObserver(prometheus::Registry& registry,
               const std::vector<std::string>* const& services,
               Permissions permissions,
               std::set<std::string, std::less<>> passed_over);

  /// For one ServerBuilder.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Creator();

  /// What is kept of `method`; null when it is passed over. Called by the interceptors.
  CallMetrics* Find(std::string_view method);

 private:
  prometheus::Registry& registry_;
  const std::vector<std::string>* const& services_;
  const Permissions permissions_;
  const std::set<std::string, std::less<>> passed_over_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<CallMetrics>, std::less<>> methods_;  // guarded by mutex_
};

}  // namespace millrace::rpc
