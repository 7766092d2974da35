#include "services/training/runs/run_retention.h"

#include <string>
#include <vector>

#include "common/patience/patience.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::training {

namespace {

constexpr std::chrono::hours kInterval{1};
constexpr std::int64_t kHoursOfDay = 24;

}  // namespace

RunRetention::RunRetention(RunStore& store,
                           RunExecutor& executor,
                           const Clock& clock,
                           std::int32_t days)
    : store_(store),
      executor_(executor),
      clock_(clock),
      age_max_(kHoursOfDay * days) {
  Tidy();
  thread_ = std::jthread([this](const std::stop_token& stop) {
    while (WaitUnlessStopped(kInterval, stop)) {
      Tidy();
    }
  });
}

void RunRetention::Tidy() {
  for (const absl::Status& status : {RemoveOld(), ThinEpochs()}) {
    if (!status.ok()) {
      log::Warning("runs not tidied up", {{"error", std::string(Message(status))}});
    }
  }
}

absl::Status RunRetention::RemoveOld() {
  if (age_max_.count() == 0) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   store_.EndedBefore(clock_.Now() - age_max_));
  for (const std::string& name : names) {
    const absl::Status removed = executor_.Delete(name);
    if (!removed.ok() && !absl::IsNotFound(removed)) {
      return removed;
    }
  }
  return absl::OkStatus();
}

absl::Status RunRetention::ThinEpochs() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, store_.WithManyEvents());
  for (const std::string& name : names) {
    const absl::Status thinned = store_.ThinEpochs(name);
    // Published or removed since.
    if (!thinned.ok() && !absl::IsFailedPrecondition(thinned) && !absl::IsNotFound(thinned)) {
      return thinned;
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace::training
