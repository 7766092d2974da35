// State: what a service keeps in its folder, verified and copied as a whole.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/file_system.h"
#include "common/storage/state_folder.h"

namespace millrace::state {

/// What is in a service's folder beside `format` and `lock`: a catalog, `blobs/` (BlobStore) that
/// the catalog names, and `audit/` (AuditLog). Either folder may be missing. Whatever else is
/// there, such as uploads and checkpoints, can be made again and is not part of the state.
struct StateLayout {
  storage::StateFormat format;

  // File of the catalog, and the schema version that this program knows.
  std::string catalog;
  std::size_t catalog_version = 0;

  // Selects, from a catalog that has a schema, the digest of each blob that is used and the name of
  // what uses it, ordered by digest. Empty: the service keeps no blobs.
  std::string blob_uses;
};

struct StateReport {
  std::int64_t blobs = 0;    // that are used, and were read
  std::int64_t changes = 0;  // lines of the audit log

  // A sentence for each thing that is damaged or missing, and for what it is needed.
  std::vector<std::string> damage;
};

/// Reads everything in `folder` and tells what of it is damaged; changes nothing but what any
/// opening of a database does. Takes the folder's lock, so the service must be stopped.
///
/// Fails only where nothing can be said: NOT_FOUND when there is no state, FAILED_PRECONDITION when
/// it is in use, of another service or of a newer program.
absl::StatusOr<StateReport> Verify(storage::FileSystem& files,
                                   const std::string& folder,
                                   const StateLayout& layout);

/// Copies the state in `from` to `to`, which is missing or empty, and verifies what was written: a
/// backup when `from` is the service's folder, a restoration when `to` is. Blobs that nothing uses
/// stay behind. Takes the locks of both.
///
/// Until it is done, and after any failure, no service opens `to`. DATA_LOSS when something in
/// `from` is damaged: a copy of that would look whole and not be it. Otherwise as Verify() and
/// StateFolder::OpenToFill().
absl::Status Copy(storage::FileSystem& files,
                  const std::string& from,
                  const StateLayout& layout,
                  const std::string& to);

}  // namespace millrace::state
