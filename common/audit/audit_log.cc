#include "common/audit/audit_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status/status.h"

namespace millrace::audit {

namespace {

constexpr std::int64_t kFileBytesMax = std::int64_t{64} << 20;
constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;

std::string NameOf(std::size_t number) {
  return fmt::format("{:08}.jsonl", number);
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

 private:
  std::string name_;
  Position& position_;
  std::string rest_;  // a line without its end yet
  int line_ = 0;
};

absl::Status FollowFile(const storage::ReadableFile& file, Follower follower) {
  for (std::int64_t offset = 0; offset < file.size(); offset += kReadBytes) {
    ASSIGN_OR_RETURN(const std::string piece, file.Read(offset, kReadBytes));
    RETURN_IF_ERROR(follower.Take(piece));
  }
  return follower.Finish();
}

// A line that was written and never synced can be read, and would be gone after a power cut: before
// another line refers to it, it becomes durable. All files but the last were synced so.
absl::Status SyncEnd(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(folder));
  if (names.empty()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(files.SyncFile(folder + "/" + names.back()));
  return files.SyncFolder(folder);
}

}  // namespace

absl::StatusOr<Position> Verify(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(folder));
  Position position;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] != NameOf(i + 1)) {
      return DataLoss("{}: expected {}, found {}", folder, NameOf(i + 1), names[i]);
    }
    ASSIGN_OR_RETURN(const auto file, files.Open(folder + "/" + names[i]));
    RETURN_IF_ERROR(FollowFile(*file, Follower(names[i], position)));
  }
  return position;
}

AuditLog::AuditLog(storage::FileSystem& files, const Clock& clock, std::string folder)
    : files_(files),
      clock_(clock),
      folder_(std::move(folder)) {}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(storage::FileSystem& files,
                                                         const Clock& clock,
                                                         const std::string& folder) {
  RETURN_IF_ERROR(files.MakeFolder(folder));
  RETURN_IF_ERROR(SyncEnd(files, folder));
  auto log = std::unique_ptr<AuditLog>(new AuditLog(files, clock, folder));
  ASSIGN_OR_RETURN(log->position_, Verify(files, folder));
  return log;
}

absl::Status AuditLog::Append(const Change& change) {
  const std::lock_guard lock(mutex_);
  absl::Status status = file_ == nullptr ? Begin() : absl::OkStatus();
  if (status.ok()) {
    status = Write(FormatLine(change, clock_.Now(), position_) + "\n");
  }
  if (!status.ok()) {
    // Whether the line is on the medium is not known: the next call reads what is.
    file_.reset();
    known_ = false;
    return Annotate(status, "writing the audit log");
  }
  if (file_bytes_ >= kFileBytesMax) {
    file_->Close().IgnoreError();  // everything is synced
    file_.reset();
  }
  return absl::OkStatus();
}

absl::Status AuditLog::Begin() {
  if (!known_) {
    RETURN_IF_ERROR(SyncEnd(files_, folder_));
    ASSIGN_OR_RETURN(position_, Verify(files_, folder_));
    known_ = true;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder_));
  ASSIGN_OR_RETURN(file_, files_.Create(folder_ + "/" + NameOf(names.size() + 1)));
  file_bytes_ = 0;
  return files_.SyncFolder(folder_);
}

absl::Status AuditLog::Write(const std::string& line) {
  RETURN_IF_ERROR(file_->Append(line));
  RETURN_IF_ERROR(file_->Sync());
  file_bytes_ += static_cast<std::int64_t>(line.size());
  return absl::OkStatus();
}

}  // namespace millrace::audit
