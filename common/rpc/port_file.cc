#include "common/rpc/port_file.h"

#include <fmt/core.h>

#include "common/status/status.h"
#include "common/storage/file_system.h"

namespace millrace::rpc {

absl::Status WritePortFile(const std::string& path, int port) {
  if (path.empty()) {
    return absl::OkStatus();
  }
  storage::FileSystem& files = storage::PosixFileSystem();
  const std::string temporary = path + ".tmp";
  if (absl::Status removed = files.Remove(temporary);
      !removed.ok() && removed.code() != absl::StatusCode::kNotFound) {
    return removed;
  }
  ASSIGN_OR_RETURN(const auto file, files.Create(temporary));
  RETURN_IF_ERROR(file->Append(fmt::format("{}\n", port)));
  RETURN_IF_ERROR(file->Close());
  return files.Rename(temporary, path);
}

}  // namespace millrace::rpc
