// StackList: in which folders `up` has started services.

#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

namespace millrace::cli {

/// Writes down that a stack was started in `folder`, an absolute path.
absl::Status RememberStack(const std::string& folder);

/// Folders that were written down and in which some service runs now, in the order in which they
/// were.
std::vector<std::string> RunningStacks();

}  // namespace millrace::cli
