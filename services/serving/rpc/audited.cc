#include "services/serving/rpc/audited.h"

namespace millrace::serving {

std::string RequestIdOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("x-request-id");
  return found == metadata.end() ? std::string()
                                 : std::string(found->second.data(), found->second.size());
}

absl::Status WriteBegun(audit::AuditLog& log, audit::Change change) {
  change.outcome = "begun";
  const absl::Status written = log.Append(change);
  return written.ok() ? written : Annotate(written, "nothing was changed: writing the audit log");
}

absl::Status WriteEnded(audit::AuditLog& log, audit::Change change, const absl::Status& outcome) {
  change.outcome =
      outcome.ok()
          ? "OK"
          : fmt::format("{}: {}", absl::StatusCodeToString(outcome.code()), Message(outcome));
  const absl::Status written = log.Append(change);
  return written.ok() ? written
                      : Annotate(written, "the change was made, but not its end written down");
}

}  // namespace millrace::serving
