// Server: a gRPC server as all three services run it: limits, quota, health, reflection, drain.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include "millrace/config/v1/server_limits.pb.h"
#include "millrace/security/v1/security.pb.h"

#include "common/audit/audit_log.h"
#include "common/rpc/access.h"

namespace millrace::rpc {

/// The defaults of config/v1/server_limits.proto.
config::v1::ServerLimits DefaultServerLimits();

struct ServerOptions {
  std::string address = "127.0.0.1:0";  // host:port; port 0 takes a free one
  bool insecure = false;                // whether an address that is not loopback may be plain text
  bool reflection = false;              // whether reflection answers off loopback too
  config::v1::ServerLimits limits = DefaultServerLimits();
  // A client that pings more often is an attacker. Go's clients never do so below 10 s.
  std::chrono::milliseconds ping_interval_min{9'000};
  security::v1::Tls tls = {};  // with a certificate: TLS, on every address
  // The AccessList by which callers are known; empty: whoever can connect may do everything.
  std::string access_file = {};
  // What each method of the services asks. Checked at the start where this or `access_file` is set.
  Permissions permissions = {};
  // Where calls are counted (call_observer.h); null: nowhere. Must outlive the server.
  prometheus::Registry* metrics = nullptr;
  // `package.Service/Method` of those whose handlers count their calls, and say that a request
  // cannot be parsed, themselves.
  std::set<std::string, std::less<>> counted_by_handlers = {};
  // Where calls that change something are written down (call_audit.h); null: nowhere. Must outlive
  // the server.
  audit::AuditLog* audit = nullptr;
};

/// A running server. It answers grpc.health.v1 for each service and for "" and, on loopback or
/// where configured, reflection; a call of a method that is not there hears what is
/// (unknown_methods.h). gzip and deflate are off. Thread-safe.
class Server {
 public:
  /// Does not own `services`, which must outlive it. FAILED_PRECONDITION for a public address
  /// without TLS or `insecure`, for tokens without TLS on one, and for files of TLS that cannot be
  /// used; INTERNAL when permissions and methods differ, UNAVAILABLE when the port is taken.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const std::vector<grpc::Service*>& services);
  virtual ~Server() = default;

  /// The port that was bound.
  [[nodiscard]] virtual int port() const = 0;

  /// Connections that were closed because of a limit, so far.
  [[nodiscard]] virtual std::int64_t refused_connections() const = 0;

  /// What health answers for every service; true after Start().
  virtual void SetServing(bool serving) = 0;

  /// Health says no, new calls are refused, calls in flight have until `drain` to end and are then
  /// cancelled. Returns when all have ended. Idempotent.
  virtual void Stop(std::chrono::milliseconds drain) = 0;

  /// A channel to this server inside the process, for tests: past TLS and the access list.
  virtual std::shared_ptr<grpc::Channel> InProcessChannel() = 0;
};

/// Blocks SIGTERM and SIGINT in this thread and all that it starts later. Call first in main().
void BlockStopSignals();

/// Returns when SIGTERM or SIGINT arrives. The only place where main() waits.
void WaitForStopSignal();

}  // namespace millrace::rpc
