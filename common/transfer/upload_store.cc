#include "common/transfer/upload_store.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/time_util.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "common/transfer/upload_journal.h"

namespace millrace::transfer {

namespace {

using std::chrono::seconds;
using std::chrono::system_clock;

constexpr std::string_view kBytesEnd = ".upload";
constexpr std::string_view kJournalEnd = ".journal";
constexpr std::size_t kIdCharactersMin = 16;
constexpr std::size_t kIdCharactersMax = 64;

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// Also what makes an id fit to be part of a path.
absl::Status CheckId(std::string_view id) {
  if (id.size() < kIdCharactersMin || id.size() > kIdCharactersMax ||
      !std::all_of(id.begin(), id.end(), IsIdCharacter)) {
    return InvalidArgument("upload_id must be {} to {} characters of [A-Za-z0-9_-], found {}",
                           kIdCharactersMin,
                           kIdCharactersMax,
                           id.size());
  }
  return absl::OkStatus();
}

// The same for the same message, although its maps have no order.
std::string DigestOf(const google::protobuf::MessageLite& header) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    header.SerializeToCodedStream(&coded);
  }
  return storage::ToHex(storage::Sha256Of(bytes));
}

// The name's part before `end`, or empty.
std::string_view StemOf(std::string_view name, std::string_view end) {
  return name.size() > end.size() && name.substr(name.size() - end.size()) == end
             ? name.substr(0, name.size() - end.size())
             : std::string_view();
}

std::int64_t SecondsOf(system_clock::time_point time) {
  return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

absl::Status OkIfNotFound(const absl::Status& removed) {
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<UploadStore>> UploadStore::Open(storage::FileSystem& files,
                                                               std::string folder,
                                                               const Clock& clock,
                                                               const UploadLimits& limits) {
  RETURN_IF_ERROR(storage::PrepareFolder(files, folder));
  std::unique_ptr<UploadStore> store(new UploadStore(files, std::move(folder), clock, limits));
  RETURN_IF_ERROR(store->TakeUpAll());
  store->Expire();
  return store;
}

absl::Status UploadStore::TakeUpAll() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder_));
  std::set<std::string, std::less<>> ids;
  for (const std::string& name : names) {
    ids.emplace(StemOf(name, kBytesEnd));
    ids.emplace(StemOf(name, kJournalEnd));
  }
  ids.erase("");
  for (const std::string& id : ids) {
    absl::Status taken = TakeUp(id);
    if (absl::IsNotFound(taken) || absl::IsDataLoss(taken)) {
      taken = RemoveFiles(id);
    }
    RETURN_IF_ERROR(taken);
  }
  return absl::OkStatus();
}

// NOT_FOUND or DATA_LOSS when the upload cannot go on.
absl::Status UploadStore::TakeUp(const std::string& id) {
  ASSIGN_OR_RETURN(const auto lines, files_.Open(JournalPath(id)));
  ASSIGN_OR_RETURN(const std::string text, lines->Read(0, lines->size()));
  ASSIGN_OR_RETURN(UploadJournal journal, ParseJournal(text));
  ASSIGN_OR_RETURN(const auto bytes, files_.Open(BytesPath(id)));
  if (bytes->size() < journal.last.received_bytes) {
    return DataLoss(
        "an upload of {} bytes has only {} of them", journal.last.received_bytes, bytes->size());
  }
  const auto entry = std::make_shared<Entry>();
  entry->header_sha256 = std::move(journal.header_sha256);
  entry->received_bytes = journal.last.received_bytes;
  entry->written_bytes = bytes->size();
  entry->journal_bytes = journal.size_bytes;
  // A clock that was set back must not keep it for longer.
  entry->last_chunk =
      std::min(system_clock::time_point(seconds(journal.last.time_seconds)), clock_.Now());
  const std::lock_guard lock(mutex_);
  unfinished_bytes_ += entry->written_bytes;
  entries_.emplace(id, entry);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<UploadStore::Incoming>> UploadStore::Begin(
    const std::string& id,
    const google::protobuf::MessageLite& header) {
  if (id.empty()) {
    ASSIGN_OR_RETURN(auto unnamed, storage::StagedFile::Create(files_, folder_));
    return std::make_unique<Incoming>(*this, "", nullptr, 0, std::move(unnamed));
  }
  RETURN_IF_ERROR(CheckId(id));
  std::string header_sha256 = DigestOf(header);
  const std::lock_guard lock(mutex_);
  RemoveExpired();
  const auto found = entries_.find(id);
  std::shared_ptr<Entry> entry = found == entries_.end() ? nullptr : found->second;
  if (entry == nullptr) {
    ASSIGN_OR_RETURN(entry, Create(id, std::move(header_sha256)));
  } else if (entry->header_sha256 != header_sha256) {
    return WithFix(InvalidArgument("upload_id is that of an upload with another header"),
                   "give each upload a new random upload_id");
  } else if (entry->whole) {
    return WithFix(Unavailable("the upload is whole and being worked on"), "try again later");
  }
  entry->holder = ++holders_;
  return std::make_unique<Incoming>(*this, id, entry, entry->holder, nullptr);
}

absl::StatusOr<std::shared_ptr<UploadStore::Entry>> UploadStore::Create(const std::string& id,
                                                                        std::string header_sha256) {
  if (entries_.size() >= static_cast<std::size_t>(limits_.unfinished_max)) {
    return WithFix(ResourceExhausted("{} uploads are unfinished already", limits_.unfinished_max),
                   "finish one of them, or wait until one has expired");
  }
  RETURN_IF_ERROR(RemoveFiles(id));  // of one that could not be removed when it should have been
  auto entry = std::make_shared<Entry>();
  entry->header_sha256 = std::move(header_sha256);
  entry->last_chunk = clock_.Now();
  const std::string lines =
      JournalHead(entry->header_sha256) +
      JournalLine({.received_bytes = 0, .time_seconds = SecondsOf(entry->last_chunk)});
  entry->journal_bytes = static_cast<std::int64_t>(lines.size());
  const auto write = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto bytes, files_.Create(BytesPath(id)));
    RETURN_IF_ERROR(bytes->Close());
    ASSIGN_OR_RETURN(const auto journal, files_.Create(JournalPath(id)));
    RETURN_IF_ERROR(journal->Append(lines));
    RETURN_IF_ERROR(journal->Sync());
    RETURN_IF_ERROR(journal->Close());
    return files_.SyncFolder(folder_);
  };
  if (const absl::Status written = write(); !written.ok()) {
    RemoveFiles(id).IgnoreError();  // if they stay, the next Open() removes or takes them up
    return written;
  }
  entries_.emplace(id, entry);
  return entry;
}

absl::StatusOr<v1::Upload> UploadStore::Find(const std::string& id) {
  RETURN_IF_ERROR(CheckId(id));
  const std::lock_guard lock(mutex_);
  RemoveExpired();
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    return WithFix(NotFound("there is no such upload that can go on"), "send it from its start");
  }
  v1::Upload upload;
  upload.set_upload_id(id);
  upload.set_received_bytes(found->second->received_bytes);
  *upload.mutable_expire_time() = google::protobuf::util::TimeUtil::SecondsToTimestamp(
      SecondsOf(found->second->last_chunk + limits_.expire));
  return upload;
}

void UploadStore::Expire() {
  const std::lock_guard lock(mutex_);
  RemoveExpired();
}

void UploadStore::RemoveExpired() {
  const auto now = clock_.Now();
  std::vector<std::string> expired;
  for (const auto& [id, entry] : entries_) {
    if (!entry->whole && entry->last_chunk + limits_.expire <= now) {
      expired.push_back(id);
    }
  }
  for (const std::string& id : expired) {
    // One that is written to now has not expired. Without the lock a call that opens the files
    // could find those of a new upload with the same id.
    const std::shared_ptr<Entry> entry = entries_.at(id);
    const std::unique_lock writing(entry->writing, std::try_to_lock);
    if (writing.owns_lock()) {
      Remove(id);
    }
  }
}

// A call that still writes to it finds out by the holder.
void UploadStore::Remove(const std::string& id) {
  const auto found = entries_.find(id);
  found->second->holder = 0;
  unfinished_bytes_ -= found->second->written_bytes;
  entries_.erase(found);
  RemoveFiles(id).IgnoreError();  // if they stay, the next Open() removes or takes them up
}

absl::Status UploadStore::RemoveFiles(const std::string& id) {
  RETURN_IF_ERROR(OkIfNotFound(files_.Remove(JournalPath(id))));
  return OkIfNotFound(files_.Remove(BytesPath(id)));
}

std::string UploadStore::BytesPath(std::string_view id) const {
  return fmt::format("{}/{}{}", folder_, id, kBytesEnd);
}

std::string UploadStore::JournalPath(std::string_view id) const {
  return fmt::format("{}/{}{}", folder_, id, kJournalEnd);
}

}  // namespace millrace::transfer
