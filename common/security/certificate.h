// Certificate: whether PEM files can be used, said before anything relies on them.

#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace millrace::security {

/// Whether `chain` (a PEM text, the own certificate first) and `key` (a PEM text, not encrypted)
/// can prove an identity at `now`: each certificate of the chain can be read and is valid now, and
/// the key is the first one's. FAILED_PRECONDITION that says what is not.
absl::Status CheckIdentity(std::string_view chain,
                           std::string_view key,
                           std::chrono::system_clock::time_point now);

/// Whether `certificates` (a PEM text) holds certificates of authorities, at least one of which is
/// valid at `now`: a bundle may keep the old one beside the new. FAILED_PRECONDITION otherwise.
absl::Status CheckAuthority(std::string_view certificates,
                            std::chrono::system_clock::time_point now);

}  // namespace millrace::security
