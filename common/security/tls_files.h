// TlsFiles: certificates for gRPC, in which a key and its certificate always belong together.

#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "millrace/security/v1/security.pb.h"

#include "common/clock/clock.h"
#include "common/security/watched_files.h"

namespace millrace::security {

/// The last good contents of the files of one Tls message, under paths from which gRPC may read
/// them again at any time. gRPC's own watcher takes whatever stands in the operator's files: with a
/// new certificate beside the old key every handshake fails. Here a new set is checked first, and
/// replaces the old one as a whole. Thread-safe.
///
/// The paths name files in memory that live as long as the process: gRPC's threads may still read
/// one when this object is gone. That is up to two descriptors an object, so make one for each
/// server and channel and not for each call.
class TlsFiles {
 public:
  /// Fails as CheckIdentity() and CheckAuthority() do, each message naming the file, or with
  /// INVALID_ARGUMENT when of `certificate` and `key` only one is given.
  static absl::StatusOr<std::unique_ptr<TlsFiles>> Open(const v1::Tls& files, const Clock& clock);

  /// Certificate chain and key in one file, so that there is no moment between the two. Empty when
  /// none was configured.
  [[nodiscard]] const std::string& identity_path() const { return identity_path_; }

  /// Empty when none was configured.
  [[nodiscard]] const std::string& authority_path() const { return authority_path_; }

  /// Looks for changed files now, not only within a second.
  absl::Status Look() { return watched_->Look(); }

 private:
  TlsFiles() = default;

  std::string identity_path_;
  std::string authority_path_;
  std::unique_ptr<WatchedFiles> watched_;  // the last member: it ends first
};

}  // namespace millrace::security
