#include "common/audit/audit_log.h"

#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status/status.h"
#include "common/storage/blob_store.h"
#include "common/storage/durable_file.h"

namespace millrace::audit {

namespace {

constexpr std::int64_t kFileBytesMax = std::int64_t{64} << 20;
constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;
constexpr std::int64_t kLineBytesMax = std::int64_t{1} << 14;
constexpr std::chrono::hours kDay(24);

std::string NameOf(std::size_t number) {
  return fmt::format("{:08}.jsonl", number);
}

// 0 for a name that is none.
std::size_t NumberOf(std::string_view name) {
  std::size_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

// Those of the log: without what an interrupted writer left.
absl::StatusOr<std::vector<std::string>> NamesIn(storage::FileSystem& files,
                                                 const std::string& folder) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, files.List(folder));
  std::erase_if(names, [](const std::string& name) { return name.ends_with(".tmp"); });
  return names;
}

// The first line of a file; NOT_FOUND when it has none that is whole.
absl::StatusOr<LineHead> FirstLine(storage::FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, files.Open(path));
  ASSIGN_OR_RETURN(const std::string text, file->Read(0, kLineBytesMax));
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) {
    return NotFound("the file has no line");
  }
  return ReadHead(std::string_view(text).substr(0, end));
}

// The lines of one file as they come in pieces.
class Follower {
 public:
  Follower(std::string name, Position& position) : name_(std::move(name)), position_(position) {}

  absl::Status Take(std::string_view piece) {
    rest_ += piece;
    std::size_t begin = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
      ++line_;
      const absl::Status status =
          FollowLine(std::string_view(rest_).substr(begin, end - begin), position_);
      if (!status.ok()) {
        return Annotate(status, fmt::format("{}:{}", name_, line_));
      }
      begin = end + 1;
    }
    bytes_ += static_cast<std::int64_t>(begin);
    rest_.erase(0, begin);
    return absl::OkStatus();
  }

  // What was torn off is a beginning of the next line. All of that line and another byte is none:
  // its end was changed, and the line would be forgotten.
  [[nodiscard]] absl::Status Finish() const {
    Position next = position_;
    const bool whole = !rest_.empty() && rest_.back() != '\0' &&
                       FollowLine(std::string_view(rest_).substr(0, rest_.size() - 1), next).ok();
    return whole ? DataLoss("{}:{}: the end of the line was changed", name_, line_ + 1)
                 : absl::OkStatus();
  }

  // Of whole lines.
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  std::string name_;
  Position& position_;
  std::string rest_;  // a line without its end yet
  int line_ = 0;
  std::int64_t bytes_ = 0;
};

absl::Status FollowFile(const storage::ReadableFile& file, Follower& follower) {
  for (std::int64_t offset = 0; offset < file.size(); offset += kReadBytes) {
    ASSIGN_OR_RETURN(const std::string piece, file.Read(offset, kReadBytes));
    RETURN_IF_ERROR(follower.Take(piece));
  }
  return follower.Finish();
}

// The place in `names` where the log begins: at the last retention, or at the first file.
std::size_t BeginningOf(storage::FileSystem& files,
                        const std::string& folder,
                        const std::vector<std::string>& names) {
  for (std::size_t i = names.size(); i > 0; --i) {
    const auto head = FirstLine(files, folder + "/" + names[i - 1]);
    if (head.ok() && head->is_retention) {
      return i - 1;
    }
  }
  return 0;
}

absl::StatusOr<LogEnd> ReadLog(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(files, folder));
  const std::size_t begin = BeginningOf(files, folder, names);
  std::size_t number = 1;
  LogEnd end;
  for (std::size_t i = begin; i < names.size(); ++i, ++number) {
    const std::string path = folder + "/" + names[i];
    const auto head = FirstLine(files, path);
    if (i == begin && head.ok() && head->is_retention) {
      number = NumberOf(names[i]);
      end = {.position = {.sequence = head->sequence, .digest = head->previous},
             .file = names[i],
             .bytes = kFileBytesMax,  // complete: it has this line alone
             .since = head->time};
      continue;
    }
    if (names[i] != NameOf(number)) {
      return DataLoss("{}: expected {}, found {}", folder, NameOf(number), names[i]);
    }
    ASSIGN_OR_RETURN(const auto file, files.Open(path));
    Follower follower(names[i], end.position);
    RETURN_IF_ERROR(FollowFile(*file, follower));
    end.file = names[i];
    end.bytes = follower.bytes();
    end.since = head.ok() ? head->time : std::chrono::system_clock::time_point::max();
  }
  return end;
}

// A line that was written and never synced can be read, and would be gone after a power cut: before
// another line refers to it, it becomes durable. All files but the last were synced so.
absl::Status SyncEnd(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(files, folder));
  if (names.empty()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(files.SyncFile(folder + "/" + names.back()));
  return files.SyncFolder(folder);
}

}  // namespace

absl::StatusOr<Position> Verify(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(LogEnd end, ReadLog(files, folder));
  return std::move(end.position);
}

AuditLog::AuditLog(storage::FileSystem& files,
                   const Clock& clock,
                   std::string folder,
                   std::int32_t days)
    : files_(files),
      clock_(clock),
      folder_(std::move(folder)),
      days_(days),
      reserve_(storage::Reserve::Of(storage::ParentOf(folder_))) {}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(storage::FileSystem& files,
                                                         const Clock& clock,
                                                         const std::string& folder,
                                                         std::int32_t days) {
  RETURN_IF_ERROR(storage::PrepareFolder(files, folder));
  RETURN_IF_ERROR(SyncEnd(files, folder));
  auto log = std::unique_ptr<AuditLog>(new AuditLog(files, clock, folder, days));
  ASSIGN_OR_RETURN(log->end_, ReadLog(files, folder));
  log->RemoveOld().IgnoreError();  // what stays goes when the next file begins
  return log;
}

absl::Status AuditLog::Append(const Change& change) {
  const std::lock_guard lock(mutex_);
  const auto write = [&] { return Write(change); };
  const std::size_t name = change.method.rfind('/') + 1;  // 0 without a service
  const bool makes_room = std::string_view(change.method).substr(name).starts_with("Delete");
  const absl::Status status = makes_room ? reserve_->Spend(write) : write();
  return status.ok() ? status : Annotate(status, "writing the audit log");
}

absl::Status AuditLog::Write(const Change& change) {
  RETURN_IF_ERROR(Ready());
  const auto now = clock_.Now();
  Position position = end_.position;
  const std::string line = FormatLine(change, now, position) + "\n";
  absl::Status written = file_->Append(line);
  written = written.ok() ? file_->Sync() : written;
  if (!written.ok()) {
    file_.reset();  // whether the line is there is not known: Reopen() reads what is
    return written;
  }
  end_.since = end_.bytes == 0 ? now : end_.since;
  end_.position = std::move(position);
  end_.bytes += static_cast<std::int64_t>(line.size());
  return absl::OkStatus();
}

absl::Status AuditLog::CopyTo(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(files_.MakeFolder(folder));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(files_, folder_));
  for (const std::string& name : names) {
    const std::string to = fmt::format("{}/{}", folder, name);
    RETURN_IF_ERROR(name == end_.file ? storage::CopyFile(files_, Path(name), to, end_.bytes)
                                      : storage::LinkFile(files_, Path(name), to));
  }
  return absl::OkStatus();
}

bool AuditLog::IsFull() const {
  return end_.bytes >= kFileBytesMax ||
         (days_ > 0 && end_.bytes > 0 && end_.since + kDay <= clock_.Now());
}

absl::Status AuditLog::Ready() {
  if (end_.file.empty() || IsFull()) {
    return BeginFile();
  }
  return file_ != nullptr ? absl::OkStatus() : Reopen();
}

absl::Status AuditLog::BeginFile() {
  const std::string name = NameOf(NumberOf(end_.file) + 1);
  file_.reset();  // all of it is synced
  ASSIGN_OR_RETURN(file_, files_.Create(Path(name)));
  end_.file = name;
  end_.bytes = 0;
  if (absl::Status synced = files_.SyncFolder(folder_); !synced.ok()) {
    file_.reset();
    return synced;
  }
  RemoveOld().IgnoreError();  // what stays goes when the next file begins
  return absl::OkStatus();
}

// Goes on in the last file. A line beyond its known end was written, and whether it is on the
// medium nobody knows: a failed sync may have called its pages clean. It is written again.
absl::Status AuditLog::Reopen() {
  LogEnd end = end_;
  std::string lines;
  {
    ASSIGN_OR_RETURN(const auto last, files_.Open(Path(end.file)));
    ASSIGN_OR_RETURN(lines, last->Read(end.bytes, last->size() - end.bytes));
  }
  std::size_t whole = 0;
  for (auto at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', whole)) {
    if (!FollowLine(std::string_view(lines).substr(whole, at - whole), end.position).ok()) {
      break;
    }
    whole = at + 1;
  }
  lines.resize(whole);
  ASSIGN_OR_RETURN(auto file, files_.OpenToAppend(Path(end.file), end.bytes));
  RETURN_IF_ERROR(lines.empty() ? absl::OkStatus() : file->Append(lines));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(files_.SyncFolder(folder_));
  end.since = end.bytes == 0 ? clock_.Now() : end.since;
  end.bytes += static_cast<std::int64_t>(whole);
  end_ = std::move(end);
  file_ = std::move(file);
  return absl::OkStatus();
}

// First the retention takes the place of the last file that goes, so that whatever happens the log
// has a beginning; those before it are no part of the log from then on.
absl::Status AuditLog::RemoveOld() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(files_, folder_));
  const auto latest = clock_.Now() - kDay * days_;
  std::size_t begin = BeginningOf(files_, folder_, names);
  Position removed;
  for (std::size_t i = begin + 1; days_ > 0 && i < names.size(); ++i) {
    const auto head = FirstLine(files_, Path(names[i]));
    if (!head.ok() || head->time > latest) {
      break;
    }
    begin = i - 1;
    removed = {.sequence = head->sequence - 1, .digest = head->previous};
  }
  const absl::StatusOr<LineHead> first =
      names.empty() ? NotFound("no file") : FirstLine(files_, Path(names[begin]));
  if (removed.sequence > 0 && !(first.ok() && first->is_retention)) {
    RETURN_IF_ERROR(storage::WriteDurably(
        files_, Path(names[begin]), {FormatRetention(clock_.Now(), removed), "\n"}));
  }
  for (std::size_t i = 0; i < begin; ++i) {
    RETURN_IF_ERROR(files_.Remove(Path(names[i])));
  }
  return begin == 0 ? absl::OkStatus() : files_.SyncFolder(folder_);
}

}  // namespace millrace::audit
