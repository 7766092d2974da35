// StateFolder: what a service keeps, owned by one process, in a format that it knows.

#pragma once

#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/file_system.h"

namespace millrace::storage {

/// Whose state a folder holds, and how. `version` counts from 1 and changes with what older
/// programs would misread: the files that there are and what they mean. Schemas of catalogs have
/// versions of their own (database.h).
struct StateFormat {
  std::string service;  // "data"
  int version = 1;
};

/// A locked folder whose file `format` says "millrace data 1". Movable; gives the lock back when
/// destroyed.
class StateFolder {
 public:
  /// Makes the folder when it is missing and takes its lock. Writes `format` at the first time, and
  /// again where an older version stands there: from then on the older program refuses the folder.
  ///
  /// FAILED_PRECONDITION when another process holds the lock, when the state is another service's
  /// or that of a newer program, or a copy that was never finished; DATA_LOSS when `format` cannot
  /// be read.
  static absl::StatusOr<StateFolder> Open(FileSystem& files,
                                          const std::string& folder,
                                          const StateFormat& format);

  /// The same of a state that is there and stays as it is; NOT_FOUND when there is none.
  static absl::StatusOr<StateFolder> OpenAsItIs(FileSystem& files,
                                                const std::string& folder,
                                                const StateFormat& format);

  /// Makes the folder, or takes an empty one, to copy a state into. Until Finish() nobody opens it.
  /// FAILED_PRECONDITION when something is in it.
  static absl::StatusOr<StateFolder> OpenToFill(FileSystem& files, const std::string& folder);

  /// Ends what OpenToFill() began. Requires: everything else in the folder is durable.
  absl::Status Finish(FileSystem& files, const StateFormat& format);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  StateFolder(std::string path, FolderLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FolderLock lock_;
};

}  // namespace millrace::storage
