// LocalStack: the three services as background processes of this machine.

#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "clients/cli/connection.h"
#include "clients/cli/process.h"

namespace millrace::cli {

/// One service of a stack that answers.
struct RunningService {
  std::string name;     // data, training or serving
  std::string address;  // host:port as bound
  Process process;
};

/// $XDG_STATE_HOME/millrace, or ~/.local/state/millrace.
std::string DefaultStateFolder();

/// Starts data, serving and training, in this order, with their state, logs, tickets and ports under
/// `folder`, and waits until each answers its health question. Port 0 takes a free one. The programs
/// stand beside the running one. FAILED_PRECONDITION when a stack of this folder is up; UNAVAILABLE
/// with the end of its log when a service does not come up. Nothing is left running on failure.
absl::StatusOr<std::vector<RunningService>> StartStack(const std::string& folder,
                                                       const Addresses& addresses,
                                                       const std::stop_token& stop);

/// Stops what StartStack() started in `folder`, in the reverse order, and returns how many were
/// running.
absl::StatusOr<int> StopStack(const std::string& folder);

}  // namespace millrace::cli
