// RunExecutor: accepted runs wait here for a worker, and are executed.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <prometheus/registry.h>

#include "millrace/security/v1/security.pb.h"
#include "millrace/training/v1/training_service.pb.h"
#include "millrace/training/v1/worker.pb.h"

#include "common/patience/patience.h"
#include "services/training/runs/run_metrics.h"
#include "services/training/runs/run_publisher.h"
#include "services/training/runs/run_store.h"
#include "services/training/runs/worker_process.h"

namespace millrace::training {

struct ExecutorOptions {
  WorkerOptions worker;

  // Folder of the runs' own folders; made when missing.
  std::string folder;

  // Where a worker finds the data service, host:port.
  std::string data_address;

  // How trained runs are published; its folder is `folder`.
  PublisherOptions publisher = {};

  // Runs that are executed at once. Each has a process, and its threads, of its own.
  int workers_max = 1;

  // Runs that may wait beside those; one more is refused.
  std::size_t runs_max = 64;

  // Bytes that a dataset's tensors may take in a worker.
  std::int64_t examples_bytes_max = std::int64_t{4} << 30;

  // Seconds from one checkpoint of a run to the next; 0: after every epoch. More loses more work
  // when a worker is killed, and writes less.
  std::int32_t checkpoint_seconds = 10;

  // From one attempt to write a run's step to the next, where the medium does not take it.
  Backoff::Options store_waits = {};

  // What protects a worker's calls to data: files of TLS and of the bearer token.
  security::v1::Tls tls = {};
  std::string token_file = {};

  // Gets what RunMetrics says.
  std::shared_ptr<prometheus::Registry> metrics = std::make_shared<prometheus::Registry>();
};

/// Starts of a run's worker, one after the other, that may end with a crash and have brought
/// neither an epoch nor a checkpoint that is new. One more would crash in the same place.
constexpr int kIdleStartsMax = 3;

/// The one that moves runs: from the queue into a worker's process, from there to the publisher and
/// to their end, each step durable in the store before it is acted on; where the medium does not
/// take it (a full disk), it is tried again until it does. First come, first served; a run that
/// waits for the data service lets the next one pass after a minute. A worker that a signal ended
/// is started again and goes on from its last checkpoint. Thread-safe.
class RunExecutor {
 public:
  /// Takes up what an earlier service left: running runs go on from their last checkpoints, queued
  /// ones wait again behind them, cancelling ones are cancelled, publishing ones are published.
  /// `store` must outlive the executor.
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

  /// Asks a run to end early: one in the queue is cancelled now, one with a worker is cancelling
  /// until that has ended, one that is being published is unpublished now. Asking again changes
  /// nothing. FAILED_PRECONDITION when it has ended or is unpublished.
  absl::StatusOr<v1::Run> Cancel(const std::string& name);

  /// RunPublisher::Publish().
  absl::StatusOr<v1::Run> Publish(const std::string& name) { return publisher_->Publish(name); }

  /// Removes a run that is at rest, with its events and its folder. FAILED_PRECONDITION while it is
  /// under way.
  absl::Status Delete(const std::string& name);

  /// Asks the workers to keep a checkpoint and end. Their runs stay running, and the waiting ones
  /// queued, publishing ones publishing, for the next start. Returns when no worker's process is
  /// left. Idempotent.
  void Stop();

 private:
  RunExecutor(RunStore& store, ExecutorOptions options)
      : store_(store),
        options_(std::move(options)),
        metrics_(options_.metrics) {}

  // How far a run has come while this executor was at it.
  struct Progress {
    std::int32_t epoch = 0;  // the last one that is stored
    std::int64_t step = 0;   // of the newest checkpoint
  };

  // A run in the queue.
  struct Waiting {
    std::string name;
    bool gave_way = false;  // whether it waited for data before, and let another pass
  };

  absl::Status TakeUp();
  absl::Status TakeUpIn(v1::Run::State state, std::set<std::int64_t>& numbers);
  absl::Status NoteRestart(const std::string& name);
  absl::StatusOr<v1::Run> CancelWaiting(const v1::Run& run);
  void Work();
  absl::Status Persist(const std::string& name,
                       const std::stop_token& stop,
                       const std::function<absl::Status()>& store);
  absl::Status Begin(const std::string& name, std::stop_token& stop);
  void Execute(const std::string& name, const std::stop_token& stop);
  absl::StatusOr<WorkerEnd> RunToItsEnd(const std::string& name, const std::stop_token& stop);
  absl::StatusOr<WorkerEnd> RunInWorker(const std::string& name,
                                        const std::stop_token& stop,
                                        Progress& progress);
  absl::StatusOr<v1::WorkerTask> TaskOf(const v1::Run& run);
  absl::Status Take(const std::string& name,
                    std::vector<v1::WorkerReport> reports,
                    const std::stop_token& stop,
                    Progress& progress);
  void TakeEpoch(std::int32_t epoch, Progress& progress);
  absl::Status TakeWaiting(const std::string& name, const std::string& reason);
  absl::StatusOr<v1::Run> Finish(const std::string& name, const absl::StatusOr<WorkerEnd>& end);
  absl::StatusOr<v1::Run> FinishTrained(const std::string& name, const v1::WorkerResult& result);
  void Leave(const v1::Run& run);
  void LetAnotherPass(const std::string& name);
  void TidyUp(const v1::Run& run);
  void RemoveFolderOf(const std::string& name);
  void TellQueue();

  RunStore& store_;
  const ExecutorOptions options_;
  RunMetrics metrics_;
  std::unique_ptr<RunPublisher> publisher_;  // written by Start() only
  std::stop_source stopping_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;                        // guarded by mutex_
  std::size_t beginning_ = 0;                          // guarded by mutex_; in neither of the two
  std::map<std::string, std::stop_source> executing_;  // guarded by mutex_
  std::vector<std::thread> threads_;                   // written by Start() and Stop() only
};

}  // namespace millrace::training
