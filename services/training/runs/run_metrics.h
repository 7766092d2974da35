// RunMetrics: what Prometheus is told about runs.

#pragma once

#include <cstddef>
#include <memory>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "millrace/training/v1/training_service.pb.h"

namespace millrace::training {

/// Keeps `millrace_runs_waiting`, `millrace_runs_executing`, `millrace_runs_publishing`,
/// `millrace_runs_blocked`, `millrace_runs_ended_total` by state, `millrace_run_epochs_total` and
/// `millrace_worker_crashes_total`. Thread-safe.
class RunMetrics {
 public:
  explicit RunMetrics(std::shared_ptr<prometheus::Registry> registry);

  void SetQueue(std::size_t waiting, std::size_t executing);

  void SetPublishing(std::size_t publishing);

  /// A run cannot go on because the store or its folder cannot be written; it can again.
  void RunBlocked() { blocked_.Increment(); }

  void RunUnblocked() { blocked_.Decrement(); }

  void EpochEnded() { epochs_.Increment(); }

  void WorkerCrashed() { crashes_.Increment(); }

  /// Requires: the state is terminal.
  void RunEnded(v1::Run::State state);

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Gauge& waiting_;
  prometheus::Gauge& executing_;
  prometheus::Gauge& publishing_;
  prometheus::Gauge& blocked_;
  prometheus::Counter& epochs_;
  prometheus::Counter& crashes_;
  prometheus::Family<prometheus::Counter>& ended_;
};

}  // namespace millrace::training
