// RunExecutor: accepted runs wait here for a worker, and are executed.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/training/v1/training_service.pb.h"
#include "millrace/training/v1/worker.pb.h"

#include "services/training/runs/run_store.h"
#include "services/training/runs/worker_process.h"

namespace millrace::training {

struct ExecutorOptions {
  WorkerOptions worker;

  // Folder of the runs' own folders; made when missing.
  std::string folder;

  // Where a worker finds the other services, host:port.
  std::string data_address;
  std::string serving_address;

  // Runs that are executed at once. Each has a process, and its threads, of its own.
  int workers_max = 1;

  // Runs that may wait beside those; one more is refused.
  std::size_t runs_max = 64;

  // Bytes that a dataset's tensors may take in a worker.
  std::int64_t examples_bytes_max = std::int64_t{4} << 30;
};

/// The one that moves runs: from the queue into a worker's process and to their end, each step
/// durable in the store before it is acted on. First come, first served. Thread-safe.
class RunExecutor {
 public:
  /// Takes up what an earlier service left: queued runs wait again in their order, running ones
  /// have failed with it, cancelling ones are cancelled. `store` must outlive the executor.
  static absl::StatusOr<std::unique_ptr<RunExecutor>> Start(RunStore& store,
                                                            ExecutorOptions options);

  /// Stop().
  ~RunExecutor();
  RunExecutor(const RunExecutor&) = delete;
  RunExecutor& operator=(const RunExecutor&) = delete;

  /// Accepts a run: `run` has dataset_version, model and a complete spec. A `request_id` that was
  /// seen before returns the run that it made. RESOURCE_EXHAUSTED when workers_max + runs_max runs
  /// have not ended; UNAVAILABLE after Stop().
  absl::StatusOr<v1::Run> Create(v1::Run run, const std::string& request_id);

  /// Asks a run to end early: a waiting one is cancelled now, a running one is cancelling until its
  /// worker has ended. Asking again changes nothing. FAILED_PRECONDITION when it has ended.
  absl::StatusOr<v1::Run> Cancel(const std::string& name);

  /// Ends the workers; their runs fail with that reason, the waiting ones stay queued for the next
  /// start. Returns when no worker's process is left. Idempotent.
  void Stop();

 private:
  RunExecutor(RunStore& store, ExecutorOptions options)
      : store_(store),
        options_(std::move(options)) {}

  absl::Status TakeUp();
  void Work();
  void Execute(const std::string& name, const std::stop_token& stop);
  absl::StatusOr<WorkerEnd> RunInWorker(const std::string& name, const std::stop_token& stop);
  absl::Status Finish(const std::string& name, const absl::StatusOr<WorkerEnd>& end);

  RunStore& store_;
  const ExecutorOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;                    // guarded by mutex_
  std::map<std::string, std::stop_source> executing_;  // guarded by mutex_
  bool stopping_ = false;                              // guarded by mutex_
  std::vector<std::thread> threads_;                   // written by Start() and Stop() only
};

}  // namespace millrace::training
