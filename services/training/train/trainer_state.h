// TrainerState: a training in the middle, complete in itself.

#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace millrace::training {

/// All that a training knows between two steps: from it and the same input, the rest follows bit
/// for bit. Order and dropout come from counters, so that their state is the seed, `epoch` and
/// `step`.
struct TrainerState {
  std::int32_t epoch = 0;              // epochs that are complete
  std::int64_t step = 0;               // steps that are complete, over all epochs
  std::int64_t examples_done = 0;      // of the epoch after those; the next batch begins there
  double loss_sum = 0;                 // over those examples
  double seconds = 0;                  // that their steps took
  std::vector<float> weights;          // as in network::Network's flat array
  std::vector<float> optimizer_slots;  // see Optimizer
  // Of the epoch with the lowest validation loss so far. Only with early stopping.
  std::int32_t best_epoch = 0;
  double best_loss = std::numeric_limits<double>::infinity();
  std::vector<float> best_weights;

  /// The epoch whose weights the training keeps, from 1: the best one where early stopping asked
  /// for that, else the last.
  [[nodiscard]] std::int32_t kept_epoch() const {
    return best_weights.empty() ? epoch : best_epoch;
  }

  /// The weights of that epoch.
  [[nodiscard]] std::span<const float> kept_weights() const {
    return best_weights.empty() ? weights : best_weights;
  }
};

}  // namespace millrace::training
