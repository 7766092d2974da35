#include "clients/cli/private_file.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "common/clock/random.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"

namespace millrace::cli {

std::string UserFolder(const char* variable, std::string_view fallback) {
  if (const char* const set = std::getenv(variable); set != nullptr && *set == '/') {
    return fmt::format("{}/millrace", set);
  }
  const char* const home = std::getenv("HOME");
  return fmt::format("{}/{}/millrace", home == nullptr ? "" : home, fallback);
}

absl::Status WritePrivateFile(const std::string& path, std::string_view text) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const std::string part = fmt::format("{}.{}", path, RandomHex(8));
  storage::FileSystem& disk = storage::PosixFileSystem();  // files 0600, folders 0700
  RETURN_IF_ERROR(disk.MakeFolder(folder.string()));
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::WritableFile> file, disk.Create(part));
  absl::Status written = file->Append(text);
  written = written.ok() ? file->Sync() : written;
  const absl::Status closed = file->Close();
  written = written.ok() ? closed : written;
  written = written.ok() ? disk.Rename(part, path) : written;
  if (!written.ok()) {
    disk.Remove(part).IgnoreError();
    return written;
  }
  return disk.SyncFolder(folder.string());
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  constexpr std::uintmax_t kBytesMax = std::uintmax_t{1} << 20;
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return NotFound("there is no file '{}'", path);
  }
  std::ifstream file(path, std::ios::binary);
  if (error || !file || size > kBytesMax) {
    return WithFix(InvalidArgument("cannot read '{}': {}",
                                   path,
                                   size > kBytesMax && !error ? "it is larger than 1 MiB"
                                                              : "it is no file that may be read"),
                   "see what stands there, or take it away");
  }
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace millrace::cli
