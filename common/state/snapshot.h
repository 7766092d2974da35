// Snapshot: the state of a running service at one moment, made by itself and read by another
// process.

#pragma once

#include <string>

#include <absl/status/status.h>

#include "common/audit/audit_log.h"
#include "common/state/state.h"
#include "common/storage/database.h"

namespace millrace::state {

/// What of a service's state is open while it runs.
struct OpenState {
  std::string folder;
  const StateLayout& layout;
  storage::Database& catalog;
  audit::AuditLog& audit;
};

/// Where the snapshot of the state in `folder` is.
std::string SnapshotFolder(const std::string& folder);

/// Makes the state's snapshot, which is a state itself (state.h): a copy of the catalog, the blobs
/// that it names, which are further names of the same files, and the audit log up to its last
/// line. Replaces one that is there. Changes wait while the catalog is copied; nothing else does.
///
/// A blob that is missing is missing there, too: whoever verifies the snapshot says so.
absl::Status TakeSnapshot(const OpenState& state);

/// Removes it, if there is one. The state itself keeps all its files.
void RemoveSnapshot(const std::string& folder);

}  // namespace millrace::state
