// UnknownMethods: answers calls of methods that are not there with what is.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include "common/rpc/call_metrics.h"

namespace millrace::rpc {

/// UNIMPLEMENTED: which methods `services` have when `method` is of one of them; else that its
/// service is not here, what is, and, for a service of this system, whose it is and where that
/// listens. Bounded, whatever the method is called.
absl::Status NoSuchMethod(const std::vector<std::string>& services, std::string_view method);

/// Ends every call that reaches it with NoSuchMethod(). Counts all as the method `other`, because
/// their names are the callers'. Thread-safe; must outlive the server.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  /// `services` are the server's: set before the first call and valid while there are calls.
  explicit UnknownMethods(const std::vector<std::string>* const& services) : services_(services) {}

  /// Before the server is built. `registry` must outlive it.
  void CountIn(prometheus::Registry& registry);

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  const std::vector<std::string>* const& services_;
  std::unique_ptr<CallMetrics> metrics_;  // null: nobody counts
};

}  // namespace millrace::rpc
