// Descriptors: as many files and connections as the system lets a process have.

#pragma once

#include <cstdint>

#include <absl/status/status.h>

namespace millrace::program {

/// What a service that serves a few hundred clients needs.
constexpr std::int64_t kDescriptorsMin = 1'024;

/// What it is given where the system allows that many.
constexpr std::int64_t kDescriptorsWanted = 65'536;

/// Raises the soft limit of this process (RLIMIT_NOFILE) up to kDescriptorsWanted.
/// FAILED_PRECONDITION when fewer than kDescriptorsMin are allowed: with gRPC 1.51 a server that
/// runs out of them may never accept again.
absl::Status RaiseDescriptors();

}  // namespace millrace::program
