// TrainingPlan: forward, loss and backward of a network over buffers that were placed once.

#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <absl/status/statusor.h>

#include "common/network/loss.h"
#include "common/network/network.h"
#include "common/network/thread_team.h"

namespace millrace::network {

/// Owns parameters, gradients and every buffer of a step; a step allocates nothing.
///
/// Its methods are called by every member of a ThreadTeam at once inside one parallel region, each
/// with its own `member`; they split outputs among the members and meet at the team's barrier. With
/// a team of one they are plain functions. Results do not depend on the team's size. A step too
/// small to share is taken by the first member while the others wait.
class TrainingPlan {
 public:
  struct Options {
    std::int64_t batch_rows_max = 0;  // examples in the largest batch
    std::int64_t seed = 0;            // of the initial weights and of dropout
  };

  /// Fails with INVALID_ARGUMENT when batch_rows_max is not in [1, 65536].
  static absl::StatusOr<std::unique_ptr<TrainingPlan>> Create(const Network& network,
                                                              const Loss& loss,
                                                              const Options& options);

  virtual ~TrainingPlan() = default;

  [[nodiscard]] virtual const Network& network() const = 0;

  /// Initialized at creation. May be written between steps.
  virtual std::span<float> parameters() = 0;

  /// Of the last Step(), same layout as parameters().
  virtual std::span<float> gradients() = 0;

  /// Forward pass, loss and backward pass of one batch. `step` counts all steps since the beginning
  /// and selects dropout's random numbers. Afterwards gradients() holds the gradient of the mean
  /// loss, and LossSum() the batch's loss. Begins and ends at the team's barrier, so the members
  /// may share an optimizer's pass over parameters() and gradients() between two steps. Requires:
  /// rows in [1, batch_rows_max]; x [rows, inputs]; labels [rows].
  virtual void Step(ThreadTeam::Member& member,
                    std::int64_t step,
                    std::int64_t rows,
                    const float* x,
                    const float* labels) = 0;

  /// The network's outputs [rows, outputs] in the last Step(), before any update; with dropout.
  [[nodiscard]] virtual std::span<const float> outputs() const = 0;

  /// Sum over the rows of the last Step()'s losses.
  [[nodiscard]] virtual double LossSum() const = 0;
};

}  // namespace millrace::network
