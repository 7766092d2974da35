// FileSystem: the one door to the disk, so that tests can break what is behind it.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace millrace::storage {

/// A file being written. Close() before destruction, or its content is undefined. Not thread-safe.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual absl::Status Append(std::string_view bytes) = 0;
  /// Bytes are on the medium when this returns OK. An error is final for this file.
  virtual absl::Status Sync() = 0;
  virtual absl::Status Close() = 0;
};

/// A file being read at any position. Thread-safe.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  /// Up to `size` bytes from `offset`; fewer only at the end of the file.
  virtual absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t size) const = 0;
  [[nodiscard]] virtual std::int64_t size() const = 0;
};

/// Files and folders by absolute path. Errors: NOT_FOUND, RESOURCE_EXHAUSTED (disk full, quota),
/// UNAVAILABLE (any other failure of the device), each naming the path. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// Creates the file; fails with ALREADY_EXISTS when it is there.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) = 0;
  /// Opens a file to go on after its first `size` bytes; what it has beyond them is cut off.
  /// DATA_LOSS when it has fewer.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenToAppend(const std::string& path,
                                                                     std::int64_t size) = 0;
  /// Replaces `to` when it exists. Durable only after SyncFolder() of the folder.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  /// Makes the folder and its parents, durably; OK when it exists.
  virtual absl::Status MakeFolder(const std::string& path) = 0;
  /// The folder must be empty.
  virtual absl::Status RemoveFolder(const std::string& path) = 0;
  virtual absl::Status SyncFolder(const std::string& path) = 0;
  /// Makes durable what a process that is gone may have written without syncing: before anything
  /// is built on what was read there.
  virtual absl::Status SyncFile(const std::string& path) = 0;
  /// Names (not paths) of the files in a folder, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& folder) = 0;
};

/// The real one. Refuses to follow a symbolic link in the last part of a path.
FileSystem& PosixFileSystem();

/// Holds an exclusive lock on `{folder}/lock` until destroyed, or FAILED_PRECONDITION when another
/// process holds it.
class FolderLock {
 public:
  static absl::StatusOr<FolderLock> Take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace millrace::storage
