#include <algorithm>
#include <optional>

#include "common/status/status.h"
#include "common/transfer/upload_journal.h"
#include "common/transfer/upload_store.h"

namespace millrace::transfer {

namespace {

// Two syncs for each of these cost little, and a power cut costs no more than these.
constexpr std::int64_t kSyncBytes = std::int64_t{8} << 20;

bool MayPass(const absl::Status& status) {
  return absl::IsCancelled(status) || absl::IsUnavailable(status) ||
         absl::IsResourceExhausted(status);
}

absl::Status NotHeld() {
  return absl::AbortedError("another call goes on with the upload, or it has expired");
}

}  // namespace

UploadStore::Incoming::Incoming(UploadStore& store,
                                std::string id,
                                std::shared_ptr<Entry> entry,
                                std::uint64_t number,
                                std::unique_ptr<storage::StagedFile> unnamed)
    : store_(store),
      id_(std::move(id)),
      entry_(std::move(entry)),
      number_(number),
      unnamed_(std::move(unnamed)) {
  if (unnamed_ != nullptr) {
    receiver_.emplace(store_.limits_.upload_bytes_max,
                      [this](std::string_view bytes) { return unnamed_->Append(bytes); });
  }
}

UploadStore::Incoming::~Incoming() {
  if (entry_ == nullptr) {
    const std::lock_guard lock(store_.mutex_);
    --store_.unnamed_;
    return;
  }
  const std::lock_guard writing(entry_->writing);
  if (CheckHeld().ok()) {
    Sync().IgnoreError();  // what is not on the medium is not acknowledged
  }
  const std::lock_guard lock(store_.mutex_);
  if (entry_->holder == number_) {
    entry_->holder = 0;
    entry_->whole = false;
  }
}

absl::Status UploadStore::Incoming::Take(const v1::Chunk& chunk) {
  if (entry_ == nullptr) {
    return receiver_->Take(chunk);
  }
  const std::lock_guard writing(entry_->writing);
  RETURN_IF_ERROR(CheckHeld());
  if (!receiver_.has_value()) {
    RETURN_IF_ERROR(GoOn(chunk.offset()));
  }
  RETURN_IF_ERROR(receiver_->Take(chunk));
  return unsynced_bytes_ < kSyncBytes ? absl::OkStatus() : Sync();
}

absl::StatusOr<std::string> UploadStore::Incoming::Finish(const v1::Close& close) {
  if (entry_ == nullptr) {
    ASSIGN_OR_RETURN(std::string sha256, receiver_->Finish(close));
    RETURN_IF_ERROR(unnamed_->Close());
    return sha256;
  }
  const std::lock_guard writing(entry_->writing);
  RETURN_IF_ERROR(CheckHeld());
  if (!receiver_.has_value()) {
    RETURN_IF_ERROR(GoOn(std::nullopt));
  }
  absl::StatusOr<std::string> sha256 = receiver_->Finish(close);
  const absl::Status synced = sha256.ok() ? Sync() : absl::OkStatus();
  const std::lock_guard lock(store_.mutex_);
  if (entry_->holder != number_) {
    return NotHeld();
  }
  if (!sha256.ok()) {
    store_.Remove(id_);
    return sha256;
  }
  RETURN_IF_ERROR(synced);
  entry_->whole = true;
  finished_ = true;
  return sha256;
}

absl::StatusOr<std::unique_ptr<storage::ReadableFile>> UploadStore::Incoming::OpenBytes() {
  return store_.files_.Open(unnamed_ != nullptr ? unnamed_->path() : store_.BytesPath(id_));
}

void UploadStore::Incoming::Answer(const absl::Status& status) {
  if (!finished_ || entry_ == nullptr || MayPass(status)) {
    return;
  }
  const std::lock_guard lock(store_.mutex_);
  if (entry_->holder == number_) {
    store_.Remove(id_);
  }
}

std::int64_t UploadStore::Incoming::size_bytes() const {
  return receiver_.has_value() ? receiver_->size_bytes() : 0;
}

absl::Status UploadStore::Incoming::CheckHeld() {
  const std::lock_guard lock(store_.mutex_);
  return entry_->holder == number_ ? absl::OkStatus() : NotHeld();
}

// Opens the files and hashes what they have before `offset`; none: all that was acknowledged.
absl::Status UploadStore::Incoming::GoOn(std::optional<std::int64_t> offset) {
  std::int64_t received_bytes = 0;
  std::int64_t journal_bytes = 0;
  {
    const std::lock_guard lock(store_.mutex_);
    received_bytes = entry_->received_bytes;
    journal_bytes = entry_->journal_bytes;
  }
  const std::int64_t begin = offset.value_or(received_bytes);
  if (begin < 0 || begin > received_bytes) {
    return InvalidArgument(
        "the upload has {} bytes; the next chunk must begin there or before, found offset {}",
        received_bytes,
        begin);
  }
  ASSIGN_OR_RETURN(journal_, store_.files_.OpenToAppend(store_.JournalPath(id_), journal_bytes));
  if (begin < received_bytes) {
    // First the journal: a file with fewer bytes than it says would be a damaged one.
    RETURN_IF_ERROR(Acknowledge(begin));
  }
  ASSIGN_OR_RETURN(bytes_, store_.files_.OpenToAppend(store_.BytesPath(id_), begin));
  {
    const std::lock_guard lock(store_.mutex_);
    if (entry_->holder != number_) {
      return NotHeld();
    }
    store_.unfinished_bytes_ += begin - entry_->written_bytes;
    entry_->written_bytes = begin;
  }
  receiver_.emplace(store_.limits_.upload_bytes_max,
                    [this](std::string_view bytes) { return Append(bytes); });
  absl::Status hashed = HashUntil(begin);
  if (!hashed.ok()) {
    receiver_.reset();
  }
  return hashed;
}

absl::Status UploadStore::Incoming::HashUntil(std::int64_t offset) {
  ASSIGN_OR_RETURN(const auto file, store_.files_.Open(store_.BytesPath(id_)));
  while (receiver_->size_bytes() < offset) {
    const std::int64_t left = offset - receiver_->size_bytes();
    ASSIGN_OR_RETURN(const std::string bytes,
                     file->Read(receiver_->size_bytes(), std::min(left, kChunkBytesMax)));
    if (bytes.empty()) {
      return DataLoss("an upload of {} bytes has only {} of them", offset, receiver_->size_bytes());
    }
    receiver_->Skip(bytes);
  }
  return absl::OkStatus();
}

absl::Status UploadStore::Incoming::Append(std::string_view bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  {
    const std::lock_guard lock(store_.mutex_);
    if (entry_->holder != number_) {
      return NotHeld();
    }
    RETURN_IF_ERROR(store_.CheckBytes(size, *entry_));
    store_.unfinished_bytes_ += size;
    entry_->written_bytes += size;
    store_.Touch(*entry_);
  }
  RETURN_IF_ERROR(bytes_->Append(bytes));
  unsynced_bytes_ += size;
  return absl::OkStatus();
}

absl::Status UploadStore::Incoming::Sync() {
  if (unsynced_bytes_ == 0) {
    return absl::OkStatus();
  }
  if (journal_ == nullptr) {
    return Unavailable("the journal of the upload could not be written");
  }
  RETURN_IF_ERROR(bytes_->Sync());
  RETURN_IF_ERROR(Acknowledge(receiver_->size_bytes()));
  unsynced_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status UploadStore::Incoming::Acknowledge(std::int64_t received_bytes) {
  const auto now = store_.clock_.Now();
  const std::string line = JournalLine(
      {.received_bytes = received_bytes,
       .time_seconds =
           std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count()});
  absl::Status written = journal_->Append(line);
  written = written.ok() ? journal_->Sync() : written;
  if (!written.ok()) {
    journal_.reset();  // it may end in half a line, which GoOn() cuts off
    return written;
  }
  const std::lock_guard lock(store_.mutex_);
  entry_->received_bytes = received_bytes;
  entry_->journal_bytes += static_cast<std::int64_t>(line.size());
  store_.Touch(*entry_);
  return absl::OkStatus();
}

}  // namespace millrace::transfer
