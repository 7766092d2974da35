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
  bool was_up = false;  // before it was asked for
};

/// What a stack is made of.
struct StackPlan {
  std::string folder;    // for state, logs, tickets and ports
  std::string programs;  // the folder that holds millrace-data, millrace-serving, millrace-training
  Addresses addresses;   // where they listen; port 0 takes a free one
};

/// $XDG_STATE_HOME/millrace, or ~/.local/state/millrace.
std::string DefaultStateFolder();

/// The folder of the running program, where the services' programs stand too.
absl::StatusOr<std::string> ProgramFolder();

/// Starts what does not run of data, serving and training, in this order, and waits until each
/// answers its health question. Where some of the stack runs, the others start at the addresses
/// that they had. FAILED_PRECONDITION when all of this folder are up; UNAVAILABLE with the end of
/// its log when a service does not come up. On failure what it started is stopped.
absl::StatusOr<std::vector<RunningService>> StartStack(const StackPlan& plan,
                                                       const std::stop_token& stop);

/// Whether some service of the stack in `folder` runs.
bool IsStackUp(const std::string& folder);

/// Stops what StartStack() started in `folder`, in the reverse order, and returns how many were
/// running.
absl::StatusOr<int> StopStack(const std::string& folder);

}  // namespace millrace::cli
