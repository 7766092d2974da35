// WorkerProcess: one run executed by the worker program, from start to reaping.

#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/training/v1/worker.pb.h"

namespace millrace::training {

struct WorkerOptions {
  // Path of the worker program.
  std::string program;

  // Time between SIGTERM and SIGKILL. More lets a worker end in order for longer.
  std::chrono::milliseconds grace{5'000};
};

/// Takes epochs, notes, checkpoints and waits as they come, as many at once as had come. An error
/// ends the worker.
using ReportsHandler = std::function<absl::Status(std::vector<v1::WorkerReport> reports)>;

/// How a worker ended.
struct WorkerEnd {
  // What it reported last, if that was an end: a result, a failure, or that it gave way.
  std::optional<v1::WorkerReport> last;

  // How the process ended: "exited with code 3", "was killed by signal 9 (Killed)".
  std::string process;

  // The signal that ended the process; 0: it ended by itself.
  int signal = 0;
};

/// Starts the program in a process group of its own, with no descriptor of ours but its two pipes
/// and standard error and only what it needs of our environment, hands it `task`, and waits until
/// it has ended and is reaped. When `stop` is requested it gets SIGTERM, and after the grace its
/// group SIGKILL. Blocks; whatever this returns, no process is left.
///
/// UNAVAILABLE when it cannot be started; DATA_LOSS when its output is no report; or what `handler`
/// says. A worker that crashed is no error here: WorkerEnd tells.
/// Requires: SIGPIPE is blocked in this thread or ignored.
absl::StatusOr<WorkerEnd> RunWorker(const WorkerOptions& options,
                                    const v1::WorkerTask& task,
                                    const std::stop_token& stop,
                                    const ReportsHandler& handler);

}  // namespace millrace::training
