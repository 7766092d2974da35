#include <string>

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "tests/faults/flow.h"

namespace millrace::faults {

namespace {

absl::Status Append(storage::FileSystem& files,
                    const std::string& folder,
                    const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const auto log, audit::AuditLog::Open(files, SystemClock(), folder));
  RETURN_IF_ERROR(log->Append({.caller = "somebody",
                               .request_id = {},
                               .method = "DeleteDataset",
                               .resource = "datasets/a",
                               .outcome = "OK"}));
  acknowledge();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Describe(storage::FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(audit::AuditLog::Open(files, SystemClock(), folder).status());
  ASSIGN_OR_RETURN(const audit::Position position, audit::Verify(files, folder));
  return fmt::format("{} lines", position.sequence);
}

}  // namespace

Flow AuditAppend() {
  const auto prepare = [](storage::FileSystem& files, const std::string& folder) {
    return Append(files, folder, [] {});
  };
  return {.name = "audit_append", .prepare = prepare, .perform = Append, .describe = Describe};
}

}  // namespace millrace::faults
