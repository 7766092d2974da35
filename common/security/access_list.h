// AccessList: who may ask what, found by token or certificate.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/security/v1/security.pb.h"

#include "common/clock/clock.h"
#include "common/security/watched_files.h"

namespace millrace::security {

/// What a method asks of its caller, and what a caller may do. Each includes the ones before it.
enum class Permission : std::uint8_t { kAnyone, kReader, kWriter, kOperator };

/// "reader"
std::string_view ToString(Permission permission);

/// How a call says who makes it.
struct Credentials {
  std::optional<std::string_view> token;            // goes before the certificate, even a wrong one
  std::vector<std::string_view> certificate_names;  // DNS names and URIs, verified by TLS
};

/// One caller.
struct Caller {
  std::string name;
  Permission permission = Permission::kReader;
};

/// The callers of one file, by the SHA-256 of their token or by a name in their certificate.
/// Immutable.
class AccessList {
 public:
  /// From the YAML of a millrace.security.v1.AccessList. INVALID_ARGUMENT names the entry and what
  /// is wrong with it. An empty list is an error: it would lock everybody out.
  static absl::StatusOr<AccessList> Parse(std::string_view source, std::string_view yaml);

  /// UNAUTHENTICATED when there are no credentials, or unknown or expired ones. Takes the same time
  /// for every token: neither a prefix nor a position can be learnt from it.
  [[nodiscard]] absl::StatusOr<Caller> Find(const Credentials& credentials,
                                            std::chrono::system_clock::time_point now) const;

 private:
  struct Entry {
    Caller caller;
    std::optional<std::array<unsigned char, 32>> token_digest;
    std::string certificate;
    std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();
  };

  static absl::StatusOr<Entry> ParseEntry(const v1::Caller& message);

  [[nodiscard]] const Entry* FindToken(std::string_view token) const;
  [[nodiscard]] const Entry* FindCertificate(const std::vector<std::string_view>& names) const;

  std::vector<Entry> entries_;
};

/// The AccessList in a file, as it is now. A file that is deleted or emptied revokes everybody
/// until it is back; one with a mistake in it, or that everybody may write, is not taken, and the
/// list before stays. Thread-safe.
class AccessFile {
 public:
  /// INVALID_ARGUMENT and FAILED_PRECONDITION for a file that would not be taken, or is empty.
  static absl::StatusOr<std::unique_ptr<AccessFile>> Open(const std::string& path,
                                                          const Clock& clock);

  /// As AccessList::Find, at the clock's time; UNAUTHENTICATED while there is no list.
  [[nodiscard]] absl::StatusOr<Caller> Find(const Credentials& credentials) const;

  /// Looks for a changed file now, not only within a second.
  absl::Status Look() { return watched_->Look(); }

 private:
  explicit AccessFile(const Clock& clock) : clock_(clock) {}

  absl::Status Take(const std::string& path, const std::string& yaml);
  void Set(std::shared_ptr<const AccessList> list);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessList> list_;  // null: nobody may call; guarded by mutex_
  std::unique_ptr<WatchedFiles> watched_;   // the last member: it ends first
};

}  // namespace millrace::security
