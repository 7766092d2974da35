#include "common/storage/durable_file.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "common/clock/random.h"
#include "common/status/status.h"

namespace millrace::storage {

namespace {

constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;

absl::Status WriteSynced(FileSystem& files,
                         const std::string& path,
                         std::initializer_list<std::string_view> parts) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, files.Create(path));
  for (const std::string_view part : parts) {
    RETURN_IF_ERROR(file->Append(part));
  }
  RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

}  // namespace

absl::Status WriteDurably(FileSystem& files,
                          const std::string& path,
                          std::initializer_list<std::string_view> parts) {
  const std::string folder = ParentOf(path);
  const std::string beside = fmt::format("{}/{}.tmp", folder, RandomHex(16));
  absl::Status status = WriteSynced(files, beside, parts);
  if (status.ok()) {
    status = files.Rename(beside, path);
  }
  if (!status.ok()) {
    files.Remove(beside).IgnoreError();  // if it stays, the next PrepareFolder() removes it
    return status;
  }
  return files.SyncFolder(folder);
}

absl::Status CopyFile(FileSystem& files,
                      const std::string& from,
                      const std::string& to,
                      std::int64_t bytes_max) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> source, files.Open(from));
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, files.Create(to));
  const std::int64_t end = std::min(source->size(), bytes_max);
  for (std::int64_t offset = 0; offset < end; offset += kReadBytes) {
    ASSIGN_OR_RETURN(const std::string bytes,
                     source->Read(offset, std::min(kReadBytes, end - offset)));
    RETURN_IF_ERROR(file->Append(bytes));
  }
  RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

absl::Status LinkFile(FileSystem& files, const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::create_hard_link(from, to, error);
  return error ? CopyFile(files, from, to) : absl::OkStatus();
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace millrace::storage
