#include "common/storage/record_sorter.h"

#include "common/status/status.h"

namespace millrace::storage {

absl::Status SortedRuns::Append(std::string_view run) {
  if (staged_ == nullptr) {
    ASSIGN_OR_RETURN(staged_, StagedFile::Create(scratch_.files, scratch_.folder));
  }
  RETURN_IF_ERROR(staged_->Append(run));
  ends_.push_back(staged_->size());
  return absl::OkStatus();
}

absl::Status SortedRuns::Close() {
  RETURN_IF_ERROR(staged_->Close());
  ASSIGN_OR_RETURN(file_, scratch_.files.Open(staged_->path()));
  return absl::OkStatus();
}

absl::StatusOr<std::string> SortedRuns::Read(std::size_t run,
                                             std::int64_t offset,
                                             std::int64_t size) const {
  const std::int64_t begin = run == 0 ? 0 : ends_[run - 1];
  const std::int64_t left = ends_[run] - begin - offset;
  const std::int64_t wanted = std::min(size, left);
  ASSIGN_OR_RETURN(std::string bytes, file_->Read(begin + offset, wanted));
  if (static_cast<std::int64_t>(bytes.size()) != wanted) {
    return DataLoss("a temporary file ended early");
  }
  return bytes;
}

}  // namespace millrace::storage
