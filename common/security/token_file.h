// TokenFile: the bearer token that a client shows, read from a file.

#pragma once

#include <memory>
#include <mutex>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/security/watched_files.h"

namespace millrace::security {

/// The token in a file, as it is now; white space around it is no part of it. Thread-safe.
class TokenFile {
 public:
  /// FAILED_PRECONDITION when the file does not hold one token of 1 to 4096 printable characters.
  static absl::StatusOr<std::unique_ptr<TokenFile>> Open(const std::string& path);

  [[nodiscard]] std::string token() const;

  /// Looks for a changed file now, not only within a second.
  absl::Status Look() { return watched_->Look(); }

 private:
  TokenFile() = default;

  mutable std::mutex mutex_;
  std::string token_;                      // guarded by mutex_
  std::unique_ptr<WatchedFiles> watched_;  // the last member: it ends first
};

}  // namespace millrace::security
