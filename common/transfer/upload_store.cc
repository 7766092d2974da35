#include "common/transfer/upload_store.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/time_util.h>

#include "common/status/status.h"
#include "common/storage/durable_file.h"
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
constexpr std::size_t kNameDigits = 16;
constexpr std::string_view kCollection = "uploads/";
constexpr std::int32_t kPageDefault = 100;
constexpr std::int32_t kPageMax = 1'000;

// Sweepers look more often; so much more that a clock says is a jump.
constexpr auto kStepMax = std::chrono::minutes(30);
constexpr seconds kRetry{60};

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

// Stands for something whose text is not to be seen.
std::string ShortDigestOf(std::string_view text) {
  return storage::ToHex(storage::Sha256Of(text)).substr(0, kNameDigits);
}

bool IsName(std::string_view name) {
  return name.starts_with(kCollection) &&
         storage::IsHex(name.substr(kCollection.size()), kNameDigits);
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

google::protobuf::Timestamp TimestampOf(system_clock::time_point time) {
  return google::protobuf::util::TimeUtil::SecondsToTimestamp(SecondsOf(time));
}

absl::Status OkIfNotFound(const absl::Status& removed) {
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

}  // namespace

std::string UploadName(std::string_view id) {
  return std::string(kCollection) + ShortDigestOf(id);
}

UploadStore::UploadStore(storage::FileSystem& files,
                         std::string folder,
                         const Clock& clock,
                         const UploadLimits& limits)
    : files_(files),
      folder_(std::move(folder)),
      clock_(clock),
      limits_(limits),
      reserve_(storage::Reserve::Of(storage::ParentOf(folder_))) {}

absl::StatusOr<std::unique_ptr<UploadStore>> UploadStore::Open(storage::FileSystem& files,
                                                               std::string folder,
                                                               const Clock& clock,
                                                               const UploadLimits& limits) {
  RETURN_IF_ERROR(storage::PrepareFolder(files, folder));
  std::unique_ptr<UploadStore> store(new UploadStore(files, std::move(folder), clock, limits));
  store->last_look_ = clock.Now();
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
  entry->origin = std::move(journal.origin);
  entry->received_bytes = journal.last.received_bytes;
  entry->written_bytes = bytes->size();
  entry->journal_bytes = journal.size_bytes;
  // A clock that was set back must not keep it for longer, nor one that jumped end it at once.
  const auto now = clock_.Now();
  entry->last_chunk = std::min(system_clock::time_point(seconds(journal.last.time_seconds)), now);
  entry->passed_at_chunk = -std::min<Time>(now - entry->last_chunk, limits_.expire / 2);
  const std::lock_guard lock(mutex_);
  unfinished_bytes_ += entry->written_bytes;
  entries_.emplace(id, entry);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<UploadStore::Incoming>> UploadStore::Begin(
    const std::string& id,
    const google::protobuf::MessageLite& header,
    const UploadSender& sender) {
  UploadOrigin origin{.header_sha256 = DigestOf(header),
                      .subject = sender.subject,
                      .sender = ShortDigestOf(sender.caller)};
  RETURN_IF_ERROR(reserve_->CheckRoom());
  const std::lock_guard lock(mutex_);
  RemoveExpired();
  if (id.empty()) {
    RETURN_IF_ERROR(CheckPlace(origin.sender));
    ASSIGN_OR_RETURN(auto unnamed, storage::StagedFile::Create(files_, folder_));
    ++unnamed_;
    return std::make_unique<Incoming>(*this, "", nullptr, 0, std::move(unnamed));
  }
  RETURN_IF_ERROR(CheckId(id));
  const auto found = entries_.find(id);
  std::shared_ptr<Entry> entry = found == entries_.end() ? nullptr : found->second;
  if (entry == nullptr) {
    ASSIGN_OR_RETURN(entry, Create(id, std::move(origin)));
  } else if (entry->origin.header_sha256 != origin.header_sha256) {
    return WithFix(InvalidArgument("upload_id is that of an upload with another header"),
                   "give each upload a new random upload_id");
  } else if (entry->whole) {
    return WithFix(Unavailable("the upload is whole and being worked on"), "try again later");
  }
  entry->holder = ++holders_;
  return std::make_unique<Incoming>(*this, id, entry, entry->holder, nullptr);
}

// Whether one more upload may begin.
absl::Status UploadStore::CheckPlace(const std::string& sender) {
  const auto is_full = [this] {
    return static_cast<int>(entries_.size()) + unnamed_ >= limits_.unfinished_max;
  };
  while (is_full() && MakeRoom(sender)) {
  }
  return is_full() ? WithRetry(WithFix(ResourceExhausted("{} uploads are unfinished already",
                                                         limits_.unfinished_max),
                                       "finish one of them; `millrace upload ls` lists them, and "
                                       "`millrace upload rm` removes one"),
                               kRetry)
                   : absl::OkStatus();
}

// Whether so many bytes more may come to `entry`.
absl::Status UploadStore::CheckBytes(std::int64_t more, const Entry& entry) {
  const auto is_full = [&] { return more > limits_.unfinished_bytes_max - unfinished_bytes_; };
  while (is_full() && MakeRoom(entry.origin.sender)) {
  }
  return is_full() ? WithRetry(WithFix(ResourceExhausted("unfinished uploads may have {} bytes"
                                                         " together",
                                                         limits_.unfinished_bytes_max),
                                       "go on with this one when another has finished; `millrace "
                                       "upload ls` lists them, and `millrace upload rm` removes "
                                       "one"),
                               kRetry)
                   : absl::OkStatus();
}

// Removes the idle upload that `sender` or else anybody would miss least, if there is one.
bool UploadStore::MakeRoom(const std::string& sender) {
  std::vector<std::pair<std::pair<bool, Time>, std::string>> idle;  // best first once sorted
  for (const auto& [id, entry] : entries_) {
    if (entry->holder == 0 && !entry->whole && AgeOf(*entry) >= limits_.idle) {
      idle.push_back({{entry->origin.sender != sender, entry->passed_at_chunk}, id});
    }
  }
  std::sort(idle.begin(), idle.end());
  return std::any_of(
      idle.begin(), idle.end(), [this](const auto& one) { return RemoveUnwritten(one.second); });
}

UploadStore::Time UploadStore::AgeOf(const Entry& entry) const {
  return passed_ - entry.passed_at_chunk;
}

// A chunk came.
void UploadStore::Touch(Entry& entry) {
  entry.last_chunk = clock_.Now();
  entry.passed_at_chunk = passed_;
}

absl::StatusOr<std::shared_ptr<UploadStore::Entry>> UploadStore::Create(const std::string& id,
                                                                        UploadOrigin origin) {
  RETURN_IF_ERROR(CheckPlace(origin.sender));
  RETURN_IF_ERROR(RemoveFiles(id));  // of one that could not be removed when it should have been
  auto entry = std::make_shared<Entry>();
  entry->origin = std::move(origin);
  Touch(*entry);
  const std::string lines =
      JournalHead(entry->origin) +
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
  v1::Upload upload = Describe(id, *found->second);
  upload.set_upload_id(id);
  return upload;
}

v1::Upload UploadStore::Describe(const std::string& id, const Entry& entry) const {
  v1::Upload upload;
  upload.set_name(UploadName(id));
  upload.set_subject(entry.origin.subject);
  upload.set_received_bytes(entry.received_bytes);
  upload.set_open(entry.holder != 0);
  *upload.mutable_last_chunk_time() = TimestampOf(entry.last_chunk);
  const Time left = std::max<Time>(limits_.expire - AgeOf(entry), Time(0));
  *upload.mutable_expire_time() =
      TimestampOf(clock_.Now() + std::chrono::duration_cast<seconds>(left));
  return upload;
}

absl::StatusOr<v1::ListUploadsResponse> UploadStore::List(const v1::ListUploadsRequest& request) {
  if (request.page_size() < 0 || request.page_size() > kPageMax) {
    return InvalidArgument("page_size must be in [0, {}], found {}", kPageMax, request.page_size());
  }
  const std::string& after = request.page_token();
  if (!after.empty() && !IsName(after)) {
    return InvalidArgument("page_token is none that was given out");
  }
  const std::size_t size =
      static_cast<std::size_t>(request.page_size() == 0 ? kPageDefault : request.page_size());
  const std::lock_guard lock(mutex_);
  RemoveExpired();
  std::map<std::string, v1::Upload> by_name;
  for (const auto& [id, entry] : entries_) {
    v1::Upload upload = Describe(id, *entry);
    by_name.emplace(upload.name(), std::move(upload));
  }
  v1::ListUploadsResponse response;
  for (auto next = by_name.upper_bound(after); next != by_name.end(); ++next) {
    if (static_cast<std::size_t>(response.uploads_size()) == size) {
      response.set_next_page_token(response.uploads().rbegin()->name());
      break;
    }
    *response.add_uploads() = std::move(next->second);
  }
  return response;
}

absl::StatusOr<v1::DeleteUploadResponse> UploadStore::Delete(const std::string& name) {
  if (!IsName(name)) {
    return InvalidArgument("name must be uploads/ and {} hexadecimal digits, found '{}'",
                           kNameDigits,
                           name.substr(0, 64));
  }
  std::string id;
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard lock(mutex_);
    RemoveExpired();
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& one) {
      return UploadName(one.first) == name;
    });
    if (found != entries_.end()) {
      id = found->first;
      entry = found->second;
    }
  }
  if (entry != nullptr) {
    const std::lock_guard writing(entry->writing);  // a chunk on its way to the disk comes first
    const std::lock_guard lock(mutex_);
    if (entry->whole) {
      return WithFix(FailedPrecondition("the upload is whole and being worked on"),
                     "wait until it has become a version, or cancel that");
    }
    if (const auto found = entries_.find(id); found != entries_.end() && found->second == entry) {
      Remove(id);
      return v1::DeleteUploadResponse();
    }
  }
  return WithFix(NotFound("there is no upload '{}'", name), "`millrace upload ls` lists them");
}

void UploadStore::Expire() {
  const std::lock_guard lock(mutex_);
  RemoveExpired();
}

void UploadStore::RemoveExpired() {
  const auto now = clock_.Now();
  passed_ += std::clamp<Time>(now - last_look_, Time(0), kStepMax);
  last_look_ = now;
  std::vector<std::string> expired;
  for (const auto& [id, entry] : entries_) {
    if (!entry->whole && AgeOf(*entry) >= limits_.expire) {
      expired.push_back(id);
    }
  }
  for (const std::string& id : expired) {
    RemoveUnwritten(id);
  }
}

// Unless it is written to now: then it is neither expired nor idle. Without that lock a call that
// opens the files could find those of a new upload with the same id.
bool UploadStore::RemoveUnwritten(const std::string& id) {
  const std::shared_ptr<Entry> entry = entries_.at(id);
  const std::unique_lock writing(entry->writing, std::try_to_lock);
  if (writing.owns_lock()) {
    Remove(id);
  }
  return writing.owns_lock();
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
