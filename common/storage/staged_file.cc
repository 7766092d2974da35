#include "common/clock/random.h"
#include "common/status/status.h"
#include "common/storage/blob_store.h"

namespace millrace::storage {

absl::StatusOr<std::unique_ptr<StagedFile>> StagedFile::Create(FileSystem& files,
                                                               const std::string& folder) {
  const std::string path = fmt::format("{}/{}.part", folder, RandomHex(16));
  ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files.Create(path));
  auto staged = std::unique_ptr<StagedFile>(new StagedFile(files, path));
  staged->file_ = std::move(file);
  return staged;
}

StagedFile::~StagedFile() {
  file_.reset();
  files_.Remove(path_).IgnoreError();  // if it stays, the next PrepareFolder() removes it
}

absl::Status StagedFile::Append(std::string_view bytes) {
  if (file_ == nullptr) {
    return FailedPrecondition("the staged file is closed");
  }
  RETURN_IF_ERROR(file_->Append(bytes));
  size_ += static_cast<std::int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status StagedFile::Close() {
  if (file_ == nullptr) {
    return FailedPrecondition("the staged file is closed");
  }
  const absl::Status closed = file_->Close();
  file_.reset();
  return closed;
}

}  // namespace millrace::storage
