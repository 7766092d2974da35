// millrace-worker: executes one run in a process of its own. Started by millrace-training, which
// writes one WorkerTask to its standard input and reads WorkerReports from its standard output;
// not for use by hand.

#include <new>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "services/training/worker/reporter.h"
#include "services/training/worker/run_task.h"
#include "services/training/worker/service_pipe.h"

namespace millrace::training {

namespace {

// Keeps the report pipe for reports alone: whatever prints goes to standard error.
int TakeStandardOutput() {
  const int report_pipe = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  CHECK(report_pipe >= 0);
  CHECK(dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO);
  return report_pipe;
}

v1::WorkerReport ReportOf(absl::StatusOr<v1::WorkerReport> last) {
  if (last.ok()) {
    return *std::move(last);
  }
  v1::WorkerReport report;
  auto& failure = *report.mutable_failure();
  failure.set_code(static_cast<int>(last.status().code()));
  failure.set_message(MessageWithFix(last.status()));
  return report;
}

// What does not fit once would not fit at another start either: an end that is told, not a crash.
absl::StatusOr<v1::WorkerReport> RunInMemory(const v1::WorkerTask& task,
                                             const Reporter& report,
                                             const std::stop_token& stop) {
  try {
    return RunTask(task, report, stop);
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  return WithFix(ResourceExhausted("the run needs more memory than the machine gives its worker"),
                 "use fewer units or a smaller batch, or give the machine more memory");
}

int Main() {
  ServicePipe service(STDIN_FILENO, TakeStandardOutput());
  log::Start("worker");
  const auto task = service.ReadTask();
  if (!task.ok()) {
    log::Error("no task", {{"error", std::string(Message(task.status()))}});
    return 2;
  }
  const auto report = [&](const v1::WorkerReport& message) { return service.Report(message); };
  const absl::Status reported = report(ReportOf(RunInMemory(*task, report, service.stop_token())));
  if (!reported.ok()) {
    log::Error("no report", {{"error", std::string(Message(reported))}});
    return 1;
  }
  return 0;
}

}  // namespace

}  // namespace millrace::training

int main() {
  return millrace::training::Main();
}
