#include "common/storage/state_folder.h"

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>

#include "common/status/status.h"
#include "common/storage/blob_store.h"
#include "common/storage/durable_file.h"

namespace millrace::storage {

namespace {

constexpr std::int64_t kFormatBytesMax = 128;
constexpr std::string_view kProduct = "millrace ";
constexpr std::string_view kUnfinished = "millrace: a copy that is not finished\n";

std::string FormatPath(const std::string& folder) {
  return folder + "/format";
}

absl::Status WriteFormat(FileSystem& files, const std::string& folder, const StateFormat& format) {
  const std::string text = fmt::format("{}{} {}\n", kProduct, format.service, format.version);
  return WriteDurably(files, FormatPath(folder), {text});
}

absl::StatusOr<std::string> ReadFormat(FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files.Open(FormatPath(folder)));
  return file->Read(0, kFormatBytesMax);
}

absl::Status Unreadable(const std::string& folder) {
  return WithFix(DataLoss("{} does not say which format the state has", FormatPath(folder)),
                 "restore the state from a backup");
}

// "millrace data 1\n" taken apart.
absl::StatusOr<StateFormat> Parse(const std::string& folder, std::string_view text) {
  if (!text.starts_with(kProduct) || !text.ends_with('\n')) {
    return Unreadable(folder);
  }
  text.remove_prefix(kProduct.size());
  text.remove_suffix(1);
  const std::size_t space = text.find(' ');
  if (space == 0 || space == std::string_view::npos) {
    return Unreadable(folder);
  }
  StateFormat format{.service = std::string(text.substr(0, space)), .version = 0};
  const std::string_view number = text.substr(space + 1);
  const char* const end = number.data() + number.size();
  const auto result = std::from_chars(number.data(), end, format.version);
  if (result.ec != std::errc() || result.ptr != end || format.version < 1) {
    return Unreadable(folder);
  }
  return format;
}

// The version that stands in the folder when this program knows it; NOT_FOUND when none does.
absl::StatusOr<int> KnownVersion(FileSystem& files,
                                 const std::string& folder,
                                 const StateFormat& known) {
  ASSIGN_OR_RETURN(const std::string text, ReadFormat(files, folder));
  if (text == kUnfinished) {
    return WithFix(FailedPrecondition("the state in {} is a copy that was never finished", folder),
                   "empty the folder and make the backup, or restore it, again");
  }
  ASSIGN_OR_RETURN(const StateFormat found, Parse(folder, text));
  if (found.service != known.service) {
    return WithFix(FailedPrecondition("the state in {} is that of the service '{}', not of '{}'",
                                      folder,
                                      found.service,
                                      known.service),
                   "give each service a folder of its own");
  }
  if (found.version > known.version) {
    return WithFix(
        FailedPrecondition("the state in {} was written by a newer Millrace (format {}; this "
                           "program knows up to {})",
                           folder,
                           found.version,
                           known.version),
        "start the newer program, or restore a backup that this one wrote");
  }
  return found.version;
}

}  // namespace

absl::StatusOr<StateFolder> StateFolder::Open(FileSystem& files,
                                              const std::string& folder,
                                              const StateFormat& format) {
  RETURN_IF_ERROR(files.MakeFolder(folder));
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(folder));
  const absl::StatusOr<int> version = KnownVersion(files, folder, format);
  if (!version.ok() && !absl::IsNotFound(version.status())) {
    return version.status();
  }
  RETURN_IF_ERROR(PrepareFolder(files, folder));
  if (!version.ok() || *version < format.version) {
    RETURN_IF_ERROR(WriteFormat(files, folder, format));
  }
  return StateFolder(folder, std::move(lock));
}

absl::StatusOr<StateFolder> StateFolder::OpenAsItIs(FileSystem& files,
                                                    const std::string& folder,
                                                    const StateFormat& format) {
  const absl::StatusOr<int> version = KnownVersion(files, folder, format);
  if (absl::IsNotFound(version.status())) {
    return WithFix(NotFound("{} holds no state: it has no file `format`", folder),
                   "give the folder that the service was started with");
  }
  RETURN_IF_ERROR(version.status());
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(folder));
  return StateFolder(folder, std::move(lock));
}

absl::StatusOr<StateFolder> StateFolder::OpenToFill(FileSystem& files, const std::string& folder) {
  std::error_code error;
  // A folder on a disk of its own has one that the system made.
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name != "lock" && name != "lost+found") {
      return WithFix(FailedPrecondition("{} is not empty: it holds '{}'", folder, name),
                     "give an empty folder, or one that is not there yet");
    }
  }
  RETURN_IF_ERROR(files.MakeFolder(folder));
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(folder));
  RETURN_IF_ERROR(WriteDurably(files, FormatPath(folder), {kUnfinished}));
  return StateFolder(folder, std::move(lock));
}

absl::Status StateFolder::Finish(FileSystem& files, const StateFormat& format) {
  return WriteFormat(files, path_, format);
}

}  // namespace millrace::storage
