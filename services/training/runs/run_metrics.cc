#include "services/training/runs/run_metrics.h"

#include <string>
#include <utility>

#include "services/training/runs/run_state.h"

namespace millrace::training {

RunMetrics::RunMetrics(std::shared_ptr<prometheus::Registry> registry)
    : registry_(std::move(registry)),
      waiting_(prometheus::BuildGauge()
                   .Name("millrace_runs_waiting")
                   .Help("Runs that wait for a worker.")
                   .Register(*registry_)
                   .Add({})),
      executing_(prometheus::BuildGauge()
                     .Name("millrace_runs_executing")
                     .Help("Runs that have a worker.")
                     .Register(*registry_)
                     .Add({})),
      publishing_(prometheus::BuildGauge()
                      .Name("millrace_runs_publishing")
                      .Help("Trained runs that wait for the serving service.")
                      .Register(*registry_)
                      .Add({})),
      blocked_(prometheus::BuildGauge()
                   .Name("millrace_runs_blocked")
                   .Help("Runs that cannot go on because the service's folder cannot be written.")
                   .Register(*registry_)
                   .Add({})),
      epochs_(prometheus::BuildCounter()
                  .Name("millrace_run_epochs_total")
                  .Help("Epochs that runs have finished.")
                  .Register(*registry_)
                  .Add({})),
      crashes_(prometheus::BuildCounter()
                   .Name("millrace_worker_crashes_total")
                   .Help("Workers that a signal ended.")
                   .Register(*registry_)
                   .Add({})),
      ended_(prometheus::BuildCounter()
                 .Name("millrace_runs_ended_total")
                 .Help("Runs that ended, by state.")
                 .Register(*registry_)) {
  for (const v1::Run::State state :
       {v1::Run::STATE_SUCCEEDED, v1::Run::STATE_FAILED, v1::Run::STATE_CANCELLED}) {
    ended_.Add({{"state", std::string(StateName(state))}});  // told as 0 before the first
  }
}

void RunMetrics::SetQueue(std::size_t waiting, std::size_t executing) {
  waiting_.Set(static_cast<double>(waiting));
  executing_.Set(static_cast<double>(executing));
}

void RunMetrics::SetPublishing(std::size_t publishing) {
  publishing_.Set(static_cast<double>(publishing));
}

void RunMetrics::RunEnded(v1::Run::State state) {
  ended_.Add({{"state", std::string(StateName(state))}}).Increment();
}

}  // namespace millrace::training
