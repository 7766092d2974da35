// SmallState: a service's state made by hand, and a folder to keep it in.

#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/state/state.h"
#include "common/status/check.h"
#include "common/storage/blob_store.h"
#include "common/storage/database.h"
#include "common/storage/state_folder.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::state {

inline const std::vector<std::string>& SmallSchema() {
  static const std::vector<std::string> schema = {
      "CREATE TABLE thing ("
      "  name TEXT PRIMARY KEY NOT NULL,"
      "  sha256 TEXT NOT NULL,"
      "  seal INTEGER NOT NULL AS (row_seal(name, sha256)) STORED) STRICT;"};
  return schema;
}

inline StateLayout SmallLayout() {
  StateLayout layout;
  layout.format = {.service = "small", .version = 2};
  layout.catalog = "things.db";
  layout.catalog_version = SmallSchema().size();
  layout.blob_uses = "SELECT sha256, 'things/' || name FROM thing ORDER BY sha256, name";
  return layout;
}

/// A state of three things, `one` and `two`, each a blob of its name, and `long`, a segmented one;
/// `also one`, which shares a blob; a blob that nothing uses; an upload; and an audit log of two
/// lines.
inline void MakeSmallState(const std::string& folder) {
  storage::FileSystem& files = storage::PosixFileSystem();
  const auto state = storage::StateFolder::Open(files, folder, SmallLayout().format);
  CHECK(state.ok());
  const auto blobs = storage::BlobStore::Open(files, folder + "/blobs");
  const auto catalog = storage::Database::Open(folder + "/things.db", SmallSchema());
  CHECK(blobs.ok() && catalog.ok());
  const auto add = [&](const std::string& name, const absl::StatusOr<std::string>& sha256) {
    CHECK(sha256.ok());
    CHECK((*catalog)->Query("INSERT INTO thing VALUES (?, ?)", {name, *sha256}).ok());
  };
  add("one", (*blobs)->Put("one"));
  add("also one", (*blobs)->Put("one"));
  add("two", (*blobs)->Put("two"));
  const auto segmented = (*blobs)->NewSegmented();
  CHECK(segmented.ok() && (*segmented)->Append("lo").ok() && (*segmented)->Append("ng").ok());
  add("long", (*segmented)->Commit());
  CHECK((*blobs)->Put("unused").ok());
  std::filesystem::create_directories(folder + "/uploads");
  std::ofstream(folder + "/uploads/1.part") << "half";
  const auto log = audit::AuditLog::Open(files, SystemClock(), folder + "/audit");
  CHECK(log.ok());
  CHECK((*log)
            ->Append(
                {.caller = "a", .request_id = {}, .method = "m", .resource = "r", .outcome = "OK"})
            .ok());
  CHECK((*log)
            ->Append(
                {.caller = "b", .request_id = {}, .method = "m", .resource = "r", .outcome = "OK"})
            .ok());
}

/// Path of the blob of `long`.
inline std::string LongPath(const std::string& folder) {
  const auto catalog =
      storage::Database::OpenAsItIs(folder + "/things.db", SmallLayout().catalog_version);
  CHECK(catalog.ok());
  const auto rows = (*catalog)->Query("SELECT sha256 FROM thing WHERE name = 'long'");
  CHECK(rows.ok());
  return folder + "/blobs/" + storage::TextOf(rows->at(0).at(0));
}

/// Path of the blob with these bytes in a state.
inline std::string BlobPath(const std::string& folder, const std::string& bytes) {
  return folder + "/blobs/" + storage::ToHex(storage::Sha256Of(bytes));
}

}  // namespace millrace::state
