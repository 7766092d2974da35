#include "common/state/snapshot.h"

#include <filesystem>
#include <system_error>

#include "common/state/blob_uses.h"
#include "common/status/status.h"
#include "common/storage/durable_file.h"
#include "common/storage/state_folder.h"

namespace millrace::state {

namespace {

absl::Status LinkBlobs(storage::FileSystem& files, const OpenState& state, const std::string& to) {
  ASSIGN_OR_RETURN(const BlobUses uses, UsesIn(state.catalog, state.layout));
  RETURN_IF_ERROR(files.MakeFolder(to));
  for (const auto& [sha256, names] : uses) {
    const absl::Status linked = storage::LinkFile(
        files, fmt::format("{}/blobs/{}", state.folder, sha256), fmt::format("{}/{}", to, sha256));
    RETURN_IF_ERROR(absl::IsNotFound(linked) ? absl::OkStatus() : linked);
  }
  return absl::OkStatus();
}

}  // namespace

std::string SnapshotFolder(const std::string& folder) {
  return folder + "/snapshot";
}

absl::Status TakeSnapshot(const OpenState& state) {
  RemoveSnapshot(state.folder);
  storage::FileSystem& files = storage::PosixFileSystem();
  const std::string to = SnapshotFolder(state.folder);
  ASSIGN_OR_RETURN(storage::StateFolder target, storage::StateFolder::OpenToFill(files, to));
  RETURN_IF_ERROR(state.catalog.CopyTo(fmt::format("{}/{}", to, state.layout.catalog),
                                       [&] { return LinkBlobs(files, state, to + "/blobs"); }));
  RETURN_IF_ERROR(state.audit.CopyTo(to + "/audit"));
  return target.Finish(files, state.layout.format);
}

void RemoveSnapshot(const std::string& folder) {
  std::error_code ignored;  // what stays is removed before the next one is made
  std::filesystem::remove_all(SnapshotFolder(folder), ignored);
}

}  // namespace millrace::state
