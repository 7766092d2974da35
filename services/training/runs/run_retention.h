// RunRetention: what is kept of runs that have ended, and for how long.

#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

#include "common/clock/clock.h"
#include "services/training/runs/run_executor.h"
#include "services/training/runs/run_store.h"

namespace millrace::training {

/// Looks at once, and then every hour until it is destroyed. Thread-safe.
class RunRetention {
 public:
  /// Removes runs `days` after their end; 0: never. The references must outlive this.
  RunRetention(RunStore& store, RunExecutor& executor, const Clock& clock, std::int32_t days);

  /// Removes what is due by the clock, and thins what runs at rest have of epochs. What fails is
  /// logged and done the next time.
  void Tidy();

 private:
  absl::Status RemoveOld();
  absl::Status ThinEpochs();

  RunStore& store_;
  RunExecutor& executor_;
  const Clock& clock_;
  const std::chrono::hours age_max_;  // 0: none
  std::jthread thread_;               // the last member: it uses the others
};

}  // namespace millrace::training
