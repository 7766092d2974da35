// BlobStore: durable, immutable byte strings named by the SHA-256 of their content.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/file_system.h"
#include "common/storage/segmented_blob.h"
#include "common/storage/sha256.h"

namespace millrace::storage {

/// Makes a folder unless it is there, and removes what an interrupted writer left in it: files that
/// end in `.tmp` or `.part`. Call before anything is written there.
absl::Status PrepareFolder(FileSystem& files, const std::string& folder);

/// A folder of blobs. Whatever happens, a blob is there whole or not at all: it is written beside
/// its place, synced, renamed into it, and its folder synced. Thread-safe.
///
/// On disk a blob is 16 bytes ("MRBLOB", the format's version, the codec: 0 as it is, 1 zstd; the
/// size of its own bytes as little-endian uint64), then the bytes, compressed (zstd with checksum)
/// when that makes them smaller. Its name is always that of its own bytes, and every read verifies
/// it.
class BlobStore {
 public:
  /// Makes the folder and removes what an interrupted writer left.
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(FileSystem& files,
                                                         const std::string& folder);

  /// A folder that may be missing, to read from: nothing is made and nothing removed.
  static BlobStore At(FileSystem& files, const std::string& folder) { return {files, folder}; }

  /// Stores bytes and returns their digest, 64 hexadecimal digits. Storing them again does nothing,
  /// or repairs a damaged copy. After an error the blob may be there, whole, or not.
  absl::StatusOr<std::string> Put(std::string_view bytes);

  /// The bytes. NOT_FOUND, or DATA_LOSS when they are damaged.
  [[nodiscard]] absl::StatusOr<std::string> Get(std::string_view sha256) const;

  /// Begins a blob that is written a segment at a time (segmented_blob.h). It is removed and listed
  /// as the others; Get() does not read it.
  absl::StatusOr<std::unique_ptr<SegmentedBlobWriter>> NewSegmented();

  /// NOT_FOUND, or DATA_LOSS when it is damaged.
  [[nodiscard]] absl::StatusOr<SegmentedBlob> OpenSegmented(std::string_view sha256) const;

  /// Reads a blob of either kind to its end, a segment at a time where it has some. NOT_FOUND, or
  /// DATA_LOSS when it is damaged.
  [[nodiscard]] absl::Status Verify(std::string_view sha256) const;

  /// Removes a blob; OK when there is none.
  absl::Status Remove(std::string_view sha256);

  /// Digests of all blobs, sorted.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List() const;

 private:
  BlobStore(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  [[nodiscard]] std::string PathOf(std::string_view sha256) const;

  FileSystem& files_;
  std::string folder_;
};

/// A file that grows by appends before it is known what it is: an upload. Removed when destroyed.
class StagedFile {
 public:
  /// Makes `{folder}/{random}.part`.
  static absl::StatusOr<std::unique_ptr<StagedFile>> Create(FileSystem& files,
                                                            const std::string& folder);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  absl::Status Append(std::string_view bytes);

  [[nodiscard]] std::int64_t size() const { return size_; }

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Ends writing; the file may be read from path() until this object dies.
  absl::Status Close();

 private:
  StagedFile(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  FileSystem& files_;
  std::string path_;
  std::unique_ptr<WritableFile> file_;
  std::int64_t size_ = 0;
};

}  // namespace millrace::storage
