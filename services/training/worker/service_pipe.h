// ServicePipe: the worker's two pipes to the service that started it, and its wish to stop.

#pragma once

#include <stop_token>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/training/v1/worker.pb.h"

namespace millrace::training {

/// Talks on two descriptors and watches for two ends: SIGTERM or SIGINT requests a stop, so that
/// the worker can say that it was cancelled; a closed pipe means that the service is gone, and ends
/// the process at once, since nobody is left to report to and an orphan must not go on writing.
///
/// Thread-safe but for ReadTask().
class ServicePipe {
 public:
  /// Takes over `task_pipe` and `report_pipe`. Call before any other thread is started: it blocks
  /// the stop signals in this thread and so in those that follow.
  ServicePipe(int task_pipe, int report_pipe);
  ~ServicePipe();
  ServicePipe(const ServicePipe&) = delete;
  ServicePipe& operator=(const ServicePipe&) = delete;

  /// Waits for the one task; then watching begins. INVALID_ARGUMENT when what comes is not one.
  absl::StatusOr<v1::WorkerTask> ReadTask();

  /// Sends one report. UNAVAILABLE when the service is gone.
  absl::Status Report(const v1::WorkerReport& report);

  [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void Watch();

  int task_pipe_;
  int report_pipe_;
  int signals_;   // signalfd
  int finished_;  // eventfd that ends Watch()
  std::stop_source stop_;
  std::thread watcher_;
};

}  // namespace millrace::training
