// UploadStore: uploads that are being received, so that a sender may go on with one.
//
// An upload without a name lives as long as its call. A named one stays when its call ends early,
// or when the process does, until its whole is answered for, it has had no chunk for a stated time,
// or another needs its place and nobody sends it. On disk it is `{name}.upload`, its bytes, and
// `{name}.journal` (upload_journal.h). What the journal says is acknowledged: bytes are synced
// before the line that counts them is written, and bytes beyond it are cut off when the upload goes
// on.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message_lite.h>

#include "millrace/transfer/v1/transfer.pb.h"

#include "common/clock/clock.h"
#include "common/storage/blob_store.h"
#include "common/storage/file_system.h"
#include "common/storage/reserve.h"
#include "common/transfer/transfer.h"
#include "common/transfer/upload_journal.h"

namespace millrace::transfer {

struct UploadLimits {
  std::int64_t upload_bytes_max = 0;                     // of one upload
  std::int64_t unfinished_bytes_max = 0;                 // of all named ones together
  int unfinished_max = 64;                               // named and unnamed ones
  std::chrono::seconds expire = std::chrono::hours(24);  // after the last chunk
  std::chrono::seconds idle = std::chrono::minutes(10);  // likewise; from then on it makes room
};

/// The limits that a service's configuration asks for: of unfinished bytes, four uploads of the
/// largest size.
template <typename Config>
UploadLimits LimitsOf(const Config& config) {
  return {.upload_bytes_max = config.upload_bytes_max(),
          .unfinished_bytes_max = 4 * config.upload_bytes_max(),
          .unfinished_max = static_cast<int>(config.limits().unfinished_uploads_max()),
          .expire = std::chrono::hours(config.upload_expire_hours()),
          .idle = std::chrono::seconds(config.upload_idle_seconds())};
}

/// Of an upload that begins.
struct UploadSender {
  std::string subject;  // what it is to become: `datasets/{dataset}` or `models/{model}`
  std::string caller;   // who sends it
};

/// `uploads/{digits of its SHA-256}`: what the upload of an id is called where the id, with which
/// anybody could go on with it, is not to be seen.
std::string UploadName(std::string_view id);

/// The uploads of one service. Thread-safe; calls wait for the disk.
///
/// An upload belongs to one call at a time, the last that asked for it: a sender whose connection
/// died must not wait until the service finds out. The call before, should it still live, fails
/// with ABORTED at its next chunk. Only while the whole is being worked on is the upload not given
/// away: UNAVAILABLE.
///
/// Ages count time that the store saw pass: a clock that jumps makes no upload older by more than
/// half an hour, and a start none older than half of what it may become.
class UploadStore {
 public:
  class Incoming;

  /// Makes the folder, takes up the uploads in it, and removes those that have expired or are
  /// damaged, and what unnamed ones left. The folder is the caller's alone; `files` and `clock`
  /// outlive the store.
  static absl::StatusOr<std::unique_ptr<UploadStore>> Open(storage::FileSystem& files,
                                                           std::string folder,
                                                           const Clock& clock,
                                                           const UploadLimits& limits);

  /// Begins the upload `id`, or goes on with it; empty: an unnamed one. INVALID_ARGUMENT when `id`
  /// has not the form of an upload_id, or is that of an upload with another header;
  /// RESOURCE_EXHAUSTED when the disk is full, and when there are too many and none is idle. An
  /// idle one makes room: the oldest of the same caller, else the oldest.
  absl::StatusOr<std::unique_ptr<Incoming>> Begin(const std::string& id,
                                                  const google::protobuf::MessageLite& header,
                                                  const UploadSender& sender);

  /// How far an upload has come. NOT_FOUND when there is none that can go on.
  absl::StatusOr<v1::Upload> Find(const std::string& id);

  /// The named uploads that can go on. INVALID_ARGUMENT for a page size out of [0, 1000] or a token
  /// that no page gave.
  absl::StatusOr<v1::ListUploadsResponse> List(const v1::ListUploadsRequest& request);

  /// Removes the upload of that name (v1::Upload.name); a call that still sends it fails with
  /// ABORTED. NOT_FOUND, or FAILED_PRECONDITION while its whole is being worked on.
  absl::StatusOr<v1::DeleteUploadResponse> Delete(const std::string& name);

  /// Removes what has expired. All of the above do so first. Call it at least every half an hour:
  /// time is counted so.
  void Expire();

 private:
  using Time = std::chrono::system_clock::duration;

  struct Entry {
    UploadOrigin origin;
    std::int64_t received_bytes = 0;  // acknowledged
    std::int64_t written_bytes = 0;   // counted in unfinished_bytes_
    std::int64_t journal_bytes = 0;
    std::chrono::system_clock::time_point last_chunk;
    Time passed_at_chunk{0};   // passed_ then
    std::uint64_t holder = 0;  // the number of the call that it belongs to
    bool whole = false;        // and being worked on
    std::mutex writing;        // held while its files change; taken before mutex_
  };

  UploadStore(storage::FileSystem& files,
              std::string folder,
              const Clock& clock,
              const UploadLimits& limits);

  [[nodiscard]] std::string BytesPath(std::string_view id) const;
  [[nodiscard]] std::string JournalPath(std::string_view id) const;
  absl::Status TakeUpAll();
  absl::Status TakeUp(const std::string& id);
  absl::Status RemoveFiles(const std::string& id);

  // Those below are called with mutex_ held.
  absl::StatusOr<std::shared_ptr<Entry>> Create(const std::string& id, UploadOrigin origin);
  absl::Status CheckPlace(const std::string& sender);
  absl::Status CheckBytes(std::int64_t more, const Entry& entry);
  bool MakeRoom(const std::string& sender);
  [[nodiscard]] Time AgeOf(const Entry& entry) const;
  [[nodiscard]] v1::Upload Describe(const std::string& id, const Entry& entry) const;
  void Touch(Entry& entry);
  void Remove(const std::string& id);
  bool RemoveUnwritten(const std::string& id);
  void RemoveExpired();

  storage::FileSystem& files_;
  const std::string folder_;
  const Clock& clock_;
  const UploadLimits limits_;
  const std::shared_ptr<storage::Reserve> reserve_;  // of the folder above
  std::mutex mutex_;                                 // guards what follows and every entry's fields
  std::map<std::string, std::shared_ptr<Entry>> entries_;
  std::int64_t unfinished_bytes_ = 0;
  int unnamed_ = 0;
  std::uint64_t holders_ = 0;
  std::chrono::system_clock::time_point last_look_;
  Time passed_{0};  // that the store saw pass
};

/// One call's hold on an upload. When it goes, an unnamed upload is removed, and a named one keeps
/// what has come. Not thread-safe; the store outlives it.
class UploadStore::Incoming {
 public:
  /// Begin() makes it: with an entry and the number of this hold, or with a file of its own.
  Incoming(UploadStore& store,
           std::string id,
           std::shared_ptr<Entry> entry,
           std::uint64_t number,
           std::unique_ptr<storage::StagedFile> unnamed);
  ~Incoming();
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  /// As Receiver::Take(), but the first chunk may begin at any byte that was acknowledged: what the
  /// upload has from there on is replaced. RESOURCE_EXHAUSTED also when all unfinished uploads
  /// together have too many bytes, ABORTED when the upload belongs to another call now.
  absl::Status Take(const v1::Chunk& chunk);

  /// As Receiver::Finish(). An upload that disagrees with its close is removed.
  absl::StatusOr<std::string> Finish(const v1::Close& close);

  /// The bytes, after Finish().
  absl::StatusOr<std::unique_ptr<storage::ReadableFile>> OpenBytes();

  /// Says how the whole was answered; removes it unless the same upload may fare better later
  /// (CANCELLED, UNAVAILABLE, RESOURCE_EXHAUSTED). Does nothing before Finish().
  void Answer(const absl::Status& status);

  /// Of this upload, up to now.
  [[nodiscard]] std::int64_t size_bytes() const;

 private:
  // Those below are called with the entry's `writing` held.
  absl::Status CheckHeld();
  absl::Status GoOn(std::optional<std::int64_t> offset);
  absl::Status HashUntil(std::int64_t offset);
  absl::Status Append(std::string_view bytes);
  absl::Status Acknowledge(std::int64_t received_bytes);
  absl::Status Sync();

  UploadStore& store_;
  const std::string id_;
  const std::shared_ptr<Entry> entry_;
  const std::uint64_t number_;
  const std::unique_ptr<storage::StagedFile> unnamed_;  // instead of all that is named
  std::unique_ptr<storage::WritableFile> bytes_;
  std::unique_ptr<storage::WritableFile> journal_;
  std::optional<Receiver> receiver_;  // set by the first chunk or the close
  std::int64_t unsynced_bytes_ = 0;
  bool finished_ = false;
};

}  // namespace millrace::transfer
