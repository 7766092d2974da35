// AuditLog: who changed what, appended and never rewritten.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/audit/line.h"
#include "common/clock/clock.h"
#include "common/storage/file_system.h"
#include "common/storage/reserve.h"

namespace millrace::audit {

/// Where a log ends.
struct LogEnd {
  Position position;
  std::string file;                             // its last one; empty when there is none
  std::int64_t bytes = 0;                       // of that file's whole lines
  std::chrono::system_clock::time_point since;  // of that file's first line
};

/// One line a change (see line.h) in files of a folder that holds nothing else: `00000001.jsonl`,
/// `00000002.jsonl`, ... Each 64 MiB begin a new file, and each day where files are removed by
/// their age; the chain of digests runs on through all of them.
///
/// Where old files were removed, the log begins with the file of the last one's number, which has
/// one line then: a retention (line.h), which tells the digest of the last line that went.
///
/// What the chain shows: that a line was changed, removed, added or moved. Not: that lines are
/// missing at the very end, or that somebody made the whole log anew. For that, keep the position
/// that Verify() returns in another place and compare.
///
/// Append() writes and syncs before it returns: call it where waiting is allowed, never in a
/// reactor. Thread-safe.
class AuditLog {
 public:
  /// Continues the log in `folder`, which is made when missing. Files whose lines are all older
  /// than `days` go (0: none), now and whenever a new one begins. `files` and `clock` must outlive
  /// it. DATA_LOSS as Verify(): a service does not go on after a log that was tampered with.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(storage::FileSystem& files,
                                                        const Clock& clock,
                                                        const std::string& folder,
                                                        std::int32_t days = 0);

  /// OK when the line is on the medium. On an error the operation that asked for it must fail too.
  /// The next call tries again, in the same file. On a full disk the line of a deletion gets the
  /// reserve of the folder above (storage/reserve.h).
  absl::Status Append(const Change& change);

  /// Makes `folder`, on the same disk, a log of the lines that there are now: its complete files
  /// are further names of this log's. Appending waits meanwhile.
  absl::Status CopyTo(const std::string& folder);

 private:
  AuditLog(storage::FileSystem& files, const Clock& clock, std::string folder, std::int32_t days);

  absl::Status Write(const Change& change);
  absl::Status Ready();
  absl::Status BeginFile();
  absl::Status Reopen();
  absl::Status RemoveOld();
  [[nodiscard]] bool IsFull() const;

  [[nodiscard]] std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  storage::FileSystem& files_;
  const Clock& clock_;
  const std::string folder_;
  const std::int32_t days_;
  const std::shared_ptr<storage::Reserve> reserve_;
  std::mutex mutex_;
  // Both guarded by mutex_.
  LogEnd end_;
  std::unique_ptr<storage::WritableFile> file_;  // null until the next line, and after a failure
};

/// Reads the log in `folder` from its beginning. Returns where it ends, or DATA_LOSS that names the
/// first bad line: `00000002.jsonl:17: the line was changed: its digest differs`. A last line of a
/// file that has no end is one whose Append() never succeeded; it is passed over, unless all of it
/// is there but the end.
absl::StatusOr<Position> Verify(storage::FileSystem& files, const std::string& folder);

}  // namespace millrace::audit
