// ComputePool: threads that predict, and who may wait for one.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <absl/status/status.h>
#include <prometheus/registry.h>

#include "common/clock/clock.h"

namespace millrace::serving {

/// What may wait for a thread of a ComputePool.
struct ComputeLimits {
  // Work that runs at once.
  int threads = 1;

  // Work that waits, however short it is.
  std::size_t waiting_max = 256;

  // Bytes of the requests that wait, as they came over the wire; parsed they take a few times that.
  std::int64_t waiting_bytes_max = std::int64_t{64} << 20;

  // The estimated time until new work would begin. More lets longer bursts through and makes every
  // answer that much later while there is more work than threads.
  std::chrono::microseconds wait_max{20'000};

  // Work for each thread that may wait whatever the estimates say: without it, long work would find
  // threads idle. Not less than 1.
  std::size_t waiting_few = 4;
};

/// What a piece of work asks for.
struct ComputeDemand {
  double microseconds = 0;  // estimated, on one thread
  std::int64_t bytes = 0;   // of its request
  std::chrono::system_clock::time_point deadline =
      std::chrono::system_clock::time_point::max();  // of its caller
};

/// A piece of work. The pool calls End() exactly once for what it admitted and Remove() did not
/// take back, and touches nothing of it afterwards.
class ComputeWork {
 public:
  virtual ~ComputeWork() = default;

  /// Does the work. Called at most once, before End(). OK when it was done in full, so that its
  /// time can be compared with the estimate.
  virtual absl::Status Run() = 0;

  /// Ends it with what Run() returned, or with DEADLINE_EXCEEDED when it was not run. May delete
  /// it.
  virtual void End(const absl::Status& status) = 0;
};

/// Runs work on a fixed number of threads, first come first served.
///
/// What cannot begin soon is refused at once: a caller does better elsewhere than at the end of a
/// queue, and whoever is admitted is answered about as soon as without overload. "Soon" is measured
/// in estimated time, corrected by how long work of late has really taken beside its estimates: a
/// count alone would mean milliseconds for one model and minutes for another.
///
/// Thread-safe. No call waits for work.
class ComputePool {
 public:
  /// `clock` tells which deadlines have passed; it must outlive the pool. `metrics` gets
  /// `millrace_predictions_waiting` and `millrace_predictions_refused_total`.
  explicit ComputePool(const ComputeLimits& limits,
                       const Clock& clock = SystemClock(),
                       const std::shared_ptr<prometheus::Registry>& metrics =
                           std::make_shared<prometheus::Registry>());

  /// Runs everything that was admitted, then ends.
  ~ComputePool();
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  /// OK: the pool will run and end `work`, which must live until then. RESOURCE_EXHAUSTED, with
  /// nothing kept: the queue is full, or too long for the work's deadline.
  absl::Status Admit(ComputeWork& work, const ComputeDemand& demand);

  /// Takes back work that still waits: its place is free, and the pool will not touch it again.
  /// False when it runs, has run or was never admitted.
  bool Remove(const ComputeWork& work);

  /// Work that waits or runs.
  [[nodiscard]] std::size_t load() const;

  /// The time from now until new work would begin, as Admit() estimates it.
  [[nodiscard]] std::chrono::microseconds wait() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::serving
