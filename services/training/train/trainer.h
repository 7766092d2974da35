// Trainer: the loop that turns examples into weights.

#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <stop_token>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/model/v1/training_spec.pb.h"

#include "common/network/loss.h"
#include "common/network/network.h"

namespace millrace::training {

/// All that a training knows between two epochs: from it and the same input, the rest follows bit
/// for bit.
struct TrainerState {
  std::int32_t epoch = 0;              // epochs that are complete
  std::int64_t step = 0;               // steps that are complete, over all epochs
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

/// Measures weights on the validation split.
using Validator =
    std::function<absl::StatusOr<model::v1::Evaluation>(std::span<const float> weights)>;

/// What to learn from what. References and spans are kept during Train() only.
struct TrainingInput {
  const model::v1::TrainingSpec& spec;  // complete and valid, see spec.h
  const network::Network& network;
  const network::Loss& loss;
  std::span<const float> x;       // [examples, network.inputs()], row-major
  std::span<const float> labels;  // [examples]
  Validator validator;            // empty: there is no validation split
};

/// Hears of a training while it goes on, on the thread that called Train().
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;

  /// An epoch has ended. An error ends the training with it.
  virtual absl::Status EpochEnded(const model::v1::EpochMetrics& metrics,
                                  const TrainerState& state) = 0;
};

/// Threads that Train() uses: `spec.threads`, or for 0 as many as pay. A step of fewer than
/// kStepMultiplyAddsMin multiply-adds is faster on one thread than on two, because it meets its
/// barriers more often than it has work to share.
int ChooseThreads(const model::v1::TrainingSpec& spec, const network::Network& network);

/// Forward multiply-adds of a step (batch x network) from which a second thread pays.
constexpr std::int64_t kStepMultiplyAddsMin = 1'000'000;

/// Runs epochs until `spec.epochs` are done, early stopping has had enough or `stop` is requested.
///
/// Each epoch visits every example once in an order drawn from the seed and the epoch's number, in
/// batches of `spec.batch_size` of which the last may be smaller. A whole epoch is one parallel
/// region, and a step allocates nothing. The same input gives the same weights, bit for bit, on any
/// number of threads.
///
/// Early stopping (Keras' EarlyStopping with restore_best_weights): an epoch is better when its
/// validation loss is lower than the best one by more than min_delta; after `patience` epochs in a
/// row that are not, training ends.
///
/// INVALID_ARGUMENT: no examples, sizes that do not fit, or early stopping without a validator.
/// FAILED_PRECONDITION: a loss or a weight is not finite; found within the epoch.
/// CANCELLED: `stop` was requested; looked at between two steps.
absl::StatusOr<TrainerState> Train(const TrainingInput& input,
                                   TrainObserver& observer,
                                   const std::stop_token& stop);

}  // namespace millrace::training
