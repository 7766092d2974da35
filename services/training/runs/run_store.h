// RunStore: every run and everything that happened in it, durable.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/training/v1/training_service.pb.h"

#include "common/clock/clock.h"
#include "common/state/state.h"
#include "common/storage/database.h"

namespace millrace::training {

/// Hears that a run has new events.
class RunListener {
 public:
  virtual ~RunListener() = default;

  /// Called after the events are durable, on the thread that added them: return at once, and do not
  /// call the store.
  virtual void RunChanged() = 0;
};

/// The catalog of runs in one SQLite file. A run's events count from 1 without gaps; what a call
/// acknowledged is on the medium. Thread-safe; every call may wait for the disk.
class RunStore {
 public:
  /// What is in the service's folder, to verify and to copy it. Checkpoints are no part of it: a
  /// run that was under way begins again in a copy.
  static const state::StateLayout& Layout();

  /// Opens or makes `path` (":memory:" in tests). `clock` must outlive the store.
  static absl::StatusOr<std::unique_ptr<RunStore>> Open(const std::string& path,
                                                        const Clock& clock);

  /// Names `run`, moves it to STATE_QUEUED and writes its first event. ALREADY_EXISTS when a run
  /// has this `request_id`; an empty one belongs to no run.
  absl::StatusOr<v1::Run> Add(v1::Run run, const std::string& request_id);

  /// The run that was added with `request_id`, if any.
  absl::StatusOr<std::optional<v1::Run>> FindByRequest(const std::string& request_id);

  /// NOT_FOUND when there is none.
  absl::StatusOr<v1::Run> Get(const std::string& name);

  /// The `request_id` that the run was added with; empty: none.
  absl::StatusOr<std::string> RequestOf(const std::string& name);

  /// A number of the run that no other run of this store ever has: it may name files.
  absl::StatusOr<std::int64_t> NumberOf(const std::string& name);

  /// Runs in `state`, oldest first.
  absl::StatusOr<std::vector<v1::Run>> InState(v1::Run::State state);

  struct Page {
    std::vector<v1::Run> runs;    // newest first
    std::string next_page_token;  // empty on the last page
  };

  /// INVALID_ARGUMENT for a token that no page gave. Requires: page_size > 0.
  absl::StatusOr<Page> List(std::int32_t page_size, std::string_view page_token);

  /// Moves a run (run_state.h), lets `change` set its other fields, and writes the event.
  /// Run.reason is empty unless `change` sets it, and Run.end_time is set at the end.
  absl::StatusOr<v1::Run> Move(const std::string& name,
                               v1::Run::State to,
                               const std::function<void(v1::Run&)>& change = {});

  /// Adds events that are epochs or notes, in order and in one commit; sets their sequence and
  /// time, and Run.epochs_done. Passes over epochs up to that one: a worker that was started again
  /// comes by them once more, and they are the same. FAILED_PRECONDITION when the run has ended.
  absl::Status Append(const std::string& name, std::vector<v1::RunEvent> events);

  /// Removes a run that is at rest, with its events, and returns its number. NOT_FOUND when there
  /// is none, FAILED_PRECONDITION while it is under way.
  absl::StatusOr<std::int64_t> Delete(const std::string& name);

  /// Keeps of the epochs of a run that is at rest the first, the last, the best and others in even
  /// distances, kEpochsKept at most; its other events stay. FAILED_PRECONDITION while it is under
  /// way.
  absl::Status ThinEpochs(const std::string& name);

  static constexpr std::int64_t kEpochsKept = 1'000;

  /// Runs at rest that may have more epochs than that.
  absl::StatusOr<std::vector<std::string>> WithManyEvents();

  /// Names of runs that have ended before `time`.
  absl::StatusOr<std::vector<std::string>> EndedBefore(std::chrono::system_clock::time_point time);

  /// Up to `count_max` events with a sequence above `after_sequence`, in order.
  absl::StatusOr<std::vector<v1::RunEvent>> Events(const std::string& name,
                                                   std::int64_t after_sequence,
                                                   std::int64_t count_max);

  /// Tells `listener` of each change of the run until it is destroyed.
  void Listen(const std::string& name, const std::weak_ptr<RunListener>& listener);

  /// For snapshots of the state while it changes (common/state/snapshot.h).
  [[nodiscard]] storage::Database& catalog() { return *database_; }

 private:
  struct Row {
    std::int64_t number = 0;
    std::int64_t last_sequence = 0;
    v1::Run run;
  };

  RunStore(std::unique_ptr<storage::Database> database, const Clock& clock)
      : database_(std::move(database)),
        clock_(clock) {}

  absl::StatusOr<Row> Find(std::string_view name);
  absl::StatusOr<Row> FindAtRest(const std::string& name);
  absl::Status DeleteEvents(std::int64_t number, std::span<const std::int64_t> sequences);
  absl::Status WriteRow(const Row& row);
  absl::Status WriteEvents(Row& row, std::vector<v1::RunEvent> events);
  absl::Status WriteEvent(Row& row, v1::RunEvent event);
  void Notify(const std::string& name);

  std::unique_ptr<storage::Database> database_;
  const Clock& clock_;
  std::mutex mutex_;
  std::multimap<std::string, std::weak_ptr<RunListener>, std::less<>>
      listeners_;  // guarded by mutex_
};

}  // namespace millrace::training
