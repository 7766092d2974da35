// PosixError: what errno means to a caller.

#pragma once

#include <cerrno>
#include <string_view>
#include <system_error>

#include "common/status/status.h"

namespace millrace::storage {

/// What helps on a full disk.
inline constexpr std::string_view kDiskFullFix =
    "free disk space: `millrace dataset rm`, `millrace model rm` and `millrace upload rm` remove "
    "what is no longer needed";

/// The error `code` of `action` on `path`: "cannot write /data/a: No space left on device". Callers
/// are not told the path (common/status/hidden_folder.h).
inline absl::Status PosixError(std::string_view action, std::string_view path, int code) {
  const std::string text =
      fmt::format("cannot {} {}: {}", action, path, std::generic_category().message(code));
  switch (code) {
    case ENOENT:
      return absl::NotFoundError(text);
    case EEXIST:
      return absl::AlreadyExistsError(text);
    case ENOSPC:
    case EDQUOT:
      return WithFix(absl::ResourceExhaustedError(text), kDiskFullFix);
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace millrace::storage
