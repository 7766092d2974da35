// AuditLog: who changed what, appended and never rewritten.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/audit/line.h"
#include "common/clock/clock.h"
#include "common/storage/file_system.h"

namespace millrace::audit {

/// One line a change (see line.h) in files of a folder that holds nothing else: `00000001.jsonl`,
/// `00000002.jsonl`, ... Each start, each failure and each 64 MiB begin a new file, so that no file
/// is ever opened for writing twice; the chain of digests runs on through all of them.
///
/// What the chain shows: that a line was changed, removed, added or moved. Not: that lines are
/// missing at the very end, or that somebody made the whole log anew. For that, keep the position
/// that Verify() returns in another place and compare.
///
/// Append() writes and syncs before it returns: call it where waiting is allowed, never in a
/// reactor. Thread-safe.
class AuditLog {
 public:
  /// Continues the log in `folder`, which is made when missing. `files` and `clock` must outlive
  /// it. DATA_LOSS as Verify(): a service does not go on after a log that was tampered with.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(storage::FileSystem& files,
                                                        const Clock& clock,
                                                        const std::string& folder);

  /// OK when the line is on the medium. On an error the operation that asked for it must fail too.
  /// The next call tries again, in a new file.
  absl::Status Append(const Change& change);

 private:
  AuditLog(storage::FileSystem& files, const Clock& clock, std::string folder);

  absl::Status Begin();
  absl::Status Write(const std::string& line);

  storage::FileSystem& files_;
  const Clock& clock_;
  const std::string folder_;
  std::mutex mutex_;
  // All guarded by mutex_.
  Position position_;
  std::unique_ptr<storage::WritableFile> file_;  // null until the next line
  std::int64_t file_bytes_ = 0;
  bool known_ = true;  // whether position_ is that of the disk; not after a failure
};

/// Reads the log in `folder` from its beginning. Returns where it ends, or DATA_LOSS that names the
/// first bad line: `00000002.jsonl:17: the line was changed: its digest differs`. A last line of a
/// file that has no end is one whose Append() never succeeded; it is passed over, unless all of it
/// is there but the end.
absl::StatusOr<Position> Verify(storage::FileSystem& files, const std::string& folder);

}  // namespace millrace::audit
