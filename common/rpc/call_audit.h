// CallAudit: one line in the audit log for every call that was to change something.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include "common/audit/audit_log.h"
#include "common/rpc/access.h"
#include "common/rpc/pool.h"

namespace millrace::rpc {

/// Holds back the status of each call whose method asks for more than a reader, until the log has a
/// line about it on the medium: who called (Caller()), the request id, the method, what it was
/// about (ResourceOf()), and how it ended. Handlers know nothing of it, so none can forget it.
///
/// Where the line cannot be written the caller gets UNAVAILABLE instead of OK: what it asked for
/// may have been done, and it must not count on that. Thread-safe.
class CallAudit {
 public:
  /// `log` must outlive this, and this the server.
  CallAudit(audit::AuditLog& log, Permissions permissions);

  /// For one ServerBuilder.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Creator();

  /// Writes the line and calls `done` with whether that succeeded, on a thread of its own.
  void Append(audit::Change change, std::function<void(const absl::Status&)> done);

  [[nodiscard]] bool Changes(std::string_view method) const;

 private:
  audit::AuditLog& log_;
  const Permissions permissions_;
  Pool pool_;
};

/// The name of what a message is about: its field `name`, else `model` or `dataset`, else one of
/// those in its field `header` or `route`; empty when it has none.
std::string ResourceOf(const google::protobuf::Message& message);

}  // namespace millrace::rpc
