#include "services/training/worker/run_progress.h"

#include <utility>

#include "common/network/kernels/kernels.h"
#include "common/status/status.h"
#include "common/version/version.h"

namespace millrace::training {

namespace {

using model::v1::EpochMetrics;

// Bytes of epochs that a checkpoint repeats at least, where there were as many. More than can be on
// their way and lost with the service: a pipe and a read of 64 KiB each, and one report, of at most
// 1 MiB, that is not complete.
constexpr std::size_t kRecentBytesMin = (std::size_t{1} << 20) + (std::size_t{256} << 10);

}  // namespace

RunProgress::RunProgress(const Reporter& report,
                         CheckpointFolder& folder,
                         Options options,
                         v1::CheckpointHeader from)
    : report_(report),
      folder_(folder),
      options_(std::move(options)),
      header_(std::move(from)),
      kept_at_(options_.now()) {
  if (header_.step() > 0) {
    kept_step_ = header_.step();
    kept_epoch_ = header_.epoch();
  }
  for (const EpochMetrics& metrics : header_.recent_epochs()) {
    recent_bytes_ += metrics.ByteSizeLong();
  }
}

absl::Status RunProgress::ReportEpochsBefore() {
  for (const EpochMetrics& metrics : header_.recent_epochs()) {
    RETURN_IF_ERROR(ReportUnlessStored(metrics));
  }
  return absl::OkStatus();
}

absl::Status RunProgress::EpochEnded(const EpochMetrics& metrics, const TrainerState& state) {
  Remember(metrics);
  RememberTrainer();
  RETURN_IF_ERROR(ReportUnlessStored(metrics));
  // An interval of 0 is over at once.
  return options_.now() - kept_at_ >= options_.interval ? Keep(state) : absl::OkStatus();
}

bool RunProgress::WantsState() {
  const auto interval = options_.interval.count() > 0 ? options_.interval : kLongEpoch;
  return options_.now() - kept_at_ >= interval;
}

absl::Status RunProgress::StateReached(const TrainerState& state) {
  RememberTrainer();
  return Keep(state);
}

absl::Status RunProgress::TrainingEnded(const TrainerState& state) {
  const bool is_kept = kept_step_ == state.step && kept_epoch_ == state.epoch;
  return is_kept ? absl::OkStatus() : Keep(state);
}

std::string RunProgress::BuildNames() const {
  std::string names;
  for (const std::string& build : header_.builds()) {
    names += (names.empty() ? "" : " then ") + build;
  }
  return names;
}

absl::Status RunProgress::ReportUnlessStored(const EpochMetrics& metrics) {
  if (metrics.epoch() <= options_.epochs_stored) {
    return absl::OkStatus();
  }
  v1::WorkerReport message;
  *message.mutable_epoch() = metrics;
  return report_(message);
}

void RunProgress::Remember(const EpochMetrics& metrics) {
  auto& epochs = *header_.mutable_recent_epochs();
  *epochs.Add() = metrics;
  recent_bytes_ += metrics.ByteSizeLong();
  int superfluous = 0;
  for (const EpochMetrics& oldest : epochs) {
    if (recent_bytes_ - oldest.ByteSizeLong() < kRecentBytesMin) {
      break;
    }
    recent_bytes_ -= oldest.ByteSizeLong();
    ++superfluous;
  }
  epochs.DeleteSubrange(0, superfluous);
}

// Called after a step was made. Whoever only publishes what others have trained is none of them.
void RunProgress::RememberTrainer() {
  const std::string build(BuildName());
  if (header_.builds().empty() || *header_.builds().rbegin() != build) {
    header_.add_builds(build);
  }
  header_.set_kernel_level(std::string(network::kernels::LevelName()));
}

absl::Status RunProgress::Keep(const TrainerState& state) {
  const absl::Status written = folder_.Write(header_, state);
  kept_at_ = options_.now();
  if (!written.ok()) {
    return std::exchange(failing_, true)
               ? absl::OkStatus()
               : ReportNote(report_,
                            fmt::format("a checkpoint could not be written, the run goes on "
                                        "without it: {}",
                                        Message(written)));
  }
  failing_ = false;
  kept_step_ = state.step;
  kept_epoch_ = state.epoch;
  v1::WorkerReport message;
  message.mutable_checkpoint()->set_epoch(state.epoch);
  message.mutable_checkpoint()->set_step(state.step);
  return report_(message);
}

}  // namespace millrace::training
