// RunProgress: what becomes of a training's epochs and states: reports and checkpoints.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <absl/status/status.h>

#include "millrace/training/v1/checkpoint.pb.h"

#include "services/training/train/trainer.h"
#include "services/training/worker/checkpoint.h"
#include "services/training/worker/reporter.h"

namespace millrace::training {

/// Reports each epoch that the service has not stored, and keeps a checkpoint whenever one is due.
/// A checkpoint that cannot be written is told in a note and tried again when the next one is due:
/// a full disk costs a training its safety, not its life. Used by the thread that trains.
class RunProgress final : public TrainObserver {
 public:
  struct Options {
    // From one checkpoint to the next, at an epoch's end or within it. 0: after every epoch, and
    // within one that takes longer every kLongEpoch.
    std::chrono::seconds interval{0};

    // Epochs that the service has; they are not reported again.
    std::int32_t epochs_stored = 0;

    // Tells the time.
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  };

  static constexpr std::chrono::seconds kLongEpoch{60};

  /// `report` and `folder` must outlive this. `from` is what the training begins with: a header
  /// with nothing but its identity, or that of the checkpoint that it goes on from.
  RunProgress(const Reporter& report,
              CheckpointFolder& folder,
              Options options,
              v1::CheckpointHeader from);

  /// Reports the epochs of that checkpoint that the service has not stored: they were on their way
  /// to it when it or the worker ended.
  absl::Status ReportEpochsBefore();

  absl::Status EpochEnded(const model::v1::EpochMetrics& metrics,
                          const TrainerState& state) override;

  bool WantsState() override;

  absl::Status StateReached(const TrainerState& state) override;

  /// The training has ended with `state`: keeps it, unless the newest checkpoint has it, so that
  /// what follows need not train again.
  absl::Status TrainingEnded(const TrainerState& state);

  /// Builds that took part in the training, "0.2.0+ab then 0.2.0+cd".
  [[nodiscard]] std::string BuildNames() const;

  /// Instruction set of the kernels that ran last.
  [[nodiscard]] const std::string& kernel_level() const { return header_.kernel_level(); }

 private:
  absl::Status ReportUnlessStored(const model::v1::EpochMetrics& metrics);
  void Remember(const model::v1::EpochMetrics& metrics);
  void RememberTrainer();
  absl::Status Keep(const TrainerState& state);

  const Reporter& report_;
  CheckpointFolder& folder_;
  const Options options_;
  v1::CheckpointHeader header_;  // without a position
  std::size_t recent_bytes_ = 0;
  std::chrono::steady_clock::time_point kept_at_;
  std::optional<std::int64_t> kept_step_;  // of the newest checkpoint, at which kept_epoch_ ended
  std::int32_t kept_epoch_ = 0;
  bool failing_ = false;  // whether the last checkpoint could not be written
};

}  // namespace millrace::training
