// millrace-worker: executes one run in a process of its own. Started by millrace-training, which
// writes one WorkerTask to its standard input and reads WorkerReports from its standard output;
// not for use by hand.

#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
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

v1::WorkerReport ReportOf(absl::StatusOr<v1::WorkerResult> result) {
  v1::WorkerReport report;
  if (result.ok()) {
    *report.mutable_result() = *std::move(result);
    return report;
  }
  const std::string fix = Fix(result.status());
  auto& failure = *report.mutable_failure();
  failure.set_code(static_cast<int>(result.status().code()));
  failure.set_message(std::string(Message(result.status())) + (fix.empty() ? "" : "; " + fix));
  return report;
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
  const absl::Status reported = report(ReportOf(RunTask(*task, report, service.stop_token())));
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
