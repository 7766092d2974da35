// SegmentedBlob: a blob that is written and read a segment at a time, however long it is.
//
//     "MRBLOB"    6 bytes, the format's version, 2, and a byte 0
//     segments    as they are, or as zstd frames with checksum where these are smaller
//     index       for each segment: uint64 size of its own bytes, uint64 size as stored,
//                 32 bytes SHA-256 of its own bytes
//     segments    uint64, how many
//
// Numbers are little-endian. The blob's name is the SHA-256 of "MRSEGMENTS" and, for each segment,
// its uint64 size and its SHA-256: so a segment can be verified without reading the others, and the
// name depends on what the segments say and not on how they are stored.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/compression.h"
#include "common/storage/file_system.h"

namespace millrace::storage {

/// A segment, as the index has it.
struct Segment {
  std::uint64_t size = 0;
  std::uint64_t stored_size = 0;  // less than `size`: compressed
  std::string sha256;             // 32 bytes
};

/// Writes a blob beside its place. Destroyed before Commit() has succeeded, it leaves nothing. Not
/// thread-safe.
class SegmentedBlobWriter {
 public:
  /// Makes a temporary file in `folder`, which BlobStore keeps.
  static absl::StatusOr<std::unique_ptr<SegmentedBlobWriter>> Create(FileSystem& files,
                                                                     const std::string& folder);
  ~SegmentedBlobWriter();
  SegmentedBlobWriter(const SegmentedBlobWriter&) = delete;
  SegmentedBlobWriter& operator=(const SegmentedBlobWriter&) = delete;

  absl::Status Append(std::string_view segment);

  /// Makes the blob durable and returns its name. After an error it may be there, whole, or not.
  absl::StatusOr<std::string> Commit();

 private:
  SegmentedBlobWriter(FileSystem& files, std::string folder, std::string path);

  FileSystem& files_;
  std::string folder_;
  std::string path_;  // empty once renamed
  std::unique_ptr<WritableFile> file_;
  Compressor compressor_;
  std::vector<Segment> segments_;
};

/// A blob that is read. Thread-safe.
class SegmentedBlob {
 public:
  /// NOT_FOUND, or DATA_LOSS when the index is not that of the name.
  static absl::StatusOr<SegmentedBlob> Open(FileSystem& files,
                                            const std::string& folder,
                                            std::string_view sha256);

  [[nodiscard]] std::size_t count() const { return segments_.size(); }

  /// Of a segment's own bytes.
  [[nodiscard]] std::int64_t size_bytes(std::size_t segment) const {
    return static_cast<std::int64_t>(segments_.at(segment).size);
  }

  /// Reads and verifies a segment. DATA_LOSS when it is damaged.
  [[nodiscard]] absl::StatusOr<std::string> Read(std::size_t segment) const;

 private:
  SegmentedBlob() = default;

  std::string name_;
  std::shared_ptr<const ReadableFile> file_;
  std::vector<Segment> segments_;
  std::vector<std::int64_t> offsets_;
};

}  // namespace millrace::storage
