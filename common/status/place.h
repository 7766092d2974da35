// Place: where on the service's disk an error was met, for its logs and not for its callers.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace millrace {

/// The same error, whose message names `path`. ToGrpcStatus() puts "a file of the service" in its
/// stead: a path tells of the machine, and a name in it may be what only an upload's owner knows.
absl::Status WithPlace(absl::Status status, std::string_view path);

/// What WithPlace() attached, or empty.
std::string Place(const absl::Status& status);

/// The message as callers get it.
std::string MessageWithoutPlace(const absl::Status& status);

}  // namespace millrace
