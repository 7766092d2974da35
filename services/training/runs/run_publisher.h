// RunPublisher: trained runs wait here until the serving service has them.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/training/v1/training_service.pb.h"

#include "common/patience/patience.h"
#include "services/training/runs/run_metrics.h"
#include "services/training/runs/run_store.h"

namespace millrace::training {

/// What one attempt to publish needs.
struct TrainedRun {
  v1::Run run;
  std::string folder;
  std::string request_id;
  std::string upload_id;  // the same for all attempts of a run, known to nobody else
};

struct PublisherOptions {
  // Makes one attempt and returns `models/{model}/versions/{version}`. Called on the publisher's
  // thread; ends early when a stop is requested. May be repeated, whatever it returned.
  std::function<absl::StatusOr<std::string>(const TrainedRun&, const std::stop_token&)> send;

  // Folder of the runs' own folders.
  std::string folder;

  // From one attempt of a run to its next.
  Backoff::Options waits = {};

  // Longest time that a run is tried for; counted anew when the service starts.
  std::chrono::milliseconds limit = std::chrono::hours(24);
};

/// Publishes runs that are in STATE_PUBLISHING, one attempt at a time, each run in its own rhythm:
/// the wait of one holds no other. An attempt that fails by what can mend itself or be mended
/// (IsMendable()) is followed by another until the time is over; otherwise the run is unpublished,
/// with the reason. Nothing is lost by it: a run's folder goes with its success. Thread-safe.
class RunPublisher {
 public:
  /// Takes up what an earlier service left in STATE_PUBLISHING. `store` and `metrics` must outlive
  /// this.
  static absl::StatusOr<std::unique_ptr<RunPublisher>> Start(RunStore& store,
                                                             RunMetrics& metrics,
                                                             PublisherOptions options);

  /// Stop().
  ~RunPublisher();
  RunPublisher(const RunPublisher&) = delete;
  RunPublisher& operator=(const RunPublisher&) = delete;

  /// Publishes a run from now on. Requires: it is in STATE_PUBLISHING.
  void Add(const std::string& name);

  /// Moves an unpublished run to STATE_PUBLISHING, and lets one that waits there be tried at once.
  /// FAILED_PRECONDITION in any other state.
  absl::StatusOr<v1::Run> Publish(const std::string& name);

  /// Ends the publishing of a run, which is unpublished then. When serving has just taken it, it
  /// has its version all the same, and publishing once more finds it. FAILED_PRECONDITION in any
  /// other state than STATE_PUBLISHING.
  absl::StatusOr<v1::Run> Cancel(const std::string& name);

  /// Ends the attempt under way; all runs stay for the next start. Idempotent.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  using Result = absl::StatusOr<std::string>;

  // A run on its way.
  struct Entry {
    std::int64_t id = 0;  // no other entry has it
    Time next;            // attempt
    Time end;             // of all attempts
    std::string upload_id;
    Backoff backoff;
    std::stop_source stop = {};
    bool at_once = false;                 // whether to be tried again without a wait
    bool is_blocked = false;              // whether its end cannot be stored
    std::optional<Result> unstored = {};  // how it ended
  };

  using Entries = std::map<std::string, Entry>;

  RunPublisher(RunStore& store, RunMetrics& metrics, PublisherOptions options)
      : store_(store),
        metrics_(metrics),
        options_(std::move(options)) {}

  void Insert(const std::string& name);
  void Erase(Entries::iterator entry);
  void Work();
  Entries::iterator Earliest();
  Result Attempt(const std::string& name,
                 const std::string& upload_id,
                 const std::stop_token& stop);
  void Settle(const std::string& name, std::int64_t id, const Result& result);
  void TryLater(const std::string& name, Entry& entry, const absl::Status& why);
  absl::StatusOr<v1::Run> StoreEnd(const std::string& name, const Result& result);
  void TidyUp(const v1::Run& run);

  RunStore& store_;
  RunMetrics& metrics_;
  const PublisherOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Entries entries_;           // guarded by mutex_
  std::int64_t last_id_ = 0;  // guarded by mutex_
  bool stopping_ = false;     // guarded by mutex_
  std::thread thread_;        // written by Start() and Stop() only
};

}  // namespace millrace::training
