// DeniedCalls: calls that were refused before anything saw them: counted, logged and audited.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>

#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include "common/audit/audit_log.h"
#include "common/rpc/access.h"
#include "common/rpc/call_metrics.h"

namespace millrace::rpc {

/// Each call is counted as CallMetrics does, under its method or, where there is no such method,
/// as `other`, and logged with other failures. Of those that were to change something the audit log
/// gets one line an address, caller, method and code when its minute is over, with the number. Of
/// kAddressesMax in a minute each has its lines; the rest share theirs. Thread-safe.
class DeniedCalls {
 public:
  static constexpr std::size_t kAddressesMax = 64;

  /// `registry` and `log` may be null and must outlive this.
  DeniedCalls(prometheus::Registry* registry, audit::AuditLog* log, Permissions permissions);

  /// Writes the lines of the minute that has begun.
  ~DeniedCalls();
  DeniedCalls(const DeniedCalls&) = delete;
  DeniedCalls& operator=(const DeniedCalls&) = delete;

  /// `peer` is the address that the call came from.
  void Add(const Denial& call, const std::string& peer);

 private:
  using Key = std::tuple<std::string, std::string, std::string, grpc::StatusCode>;

  void AddToMinute(const Denial& call, const std::string& peer);
  void Serve();
  void Write(const std::map<Key, std::int64_t>& minute);

  prometheus::Registry* const registry_;
  audit::AuditLog* const log_;
  const Permissions permissions_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<CallMetrics>, std::less<>> methods_;  // guarded by mutex_
  // Peer, caller, method and code; guarded by mutex_.
  std::map<Key, std::int64_t> minute_;
  std::set<std::string> peers_;  // of minute_; guarded by mutex_
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // only where there is a log
};

}  // namespace millrace::rpc
