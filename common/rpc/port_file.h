// Port file: how a program that listens on port 0 tells which port it got.

#pragma once

#include <string>

#include <absl/status/status.h>

namespace millrace::rpc {

/// Writes the port as decimal digits and a newline; whoever sees the file sees it whole. Replaces
/// an older one. Does nothing when `path` is empty.
absl::Status WritePortFile(const std::string& path, int port);

}  // namespace millrace::rpc
