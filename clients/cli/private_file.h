// PrivateFile: small files that the command keeps for its user, whole or not at all.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace millrace::cli {

/// `{variable}/millrace` where that environment variable is an absolute path, else
/// `$HOME/{fallback}/millrace`: `UserFolder("XDG_CONFIG_HOME", ".config")`.
std::string UserFolder(const char* variable, std::string_view fallback);

/// Replaces the file at `path` as a whole, so that a reader and a power cut find the old or the new
/// text. The file is readable by its owner alone, and so are folders that have to be made for it.
/// Fails as storage::FileSystem does.
absl::Status WritePrivateFile(const std::string& path, std::string_view text);

/// The whole file, of at most 1 MiB. NOT_FOUND when there is none.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

}  // namespace millrace::cli
