// Audited: a change that is written down before it is made, and again before it is answered.

#pragma once

#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "common/audit/audit_log.h"
#include "common/status/status.h"

namespace millrace::serving {

/// The `x-request-id` that a call brought, or empty.
std::string RequestIdOf(const grpc::CallbackServerContext& context);

/// Writes that a change is about to be made: its outcome is "begun". An error means that it must
/// not be made.
absl::Status WriteBegun(audit::AuditLog& log, audit::Change change);

/// Writes how it ended, "OK" or code and message. An error means that the change, although made,
/// must not be answered with OK.
absl::Status WriteEnded(audit::AuditLog& log, audit::Change change, const absl::Status& outcome);

/// Returns what `act` does, an absl::StatusOr<Message>(audit::Change&), between two lines of `log`;
/// null: without. Nothing is done that no line tells of: when the first cannot be written `act` is
/// not called, and when the second cannot the call fails, though its change stays. A process that
/// dies between leaves a line "begun" without its end. `act` may name the resource more closely.
template <typename Act>
auto Audited(audit::AuditLog* log, audit::Change change, Act act) -> decltype(act(change)) {
  if (log == nullptr) {
    return act(change);
  }
  RETURN_IF_ERROR(WriteBegun(*log, change));
  auto result = act(change);
  const absl::Status written = WriteEnded(*log, std::move(change), result.status());
  // An error of the change itself says more than one of the log.
  return result.ok() && !written.ok() ? decltype(result)(written) : std::move(result);
}

}  // namespace millrace::serving
