// Trainer: the loop that turns examples into weights.

#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/model/v1/training_spec.pb.h"

#include "common/network/loss.h"
#include "common/network/network.h"
#include "services/training/train/trainer_state.h"

namespace millrace::training {

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
  // Steps of an epoch from one WantsState() to the next; 0: as many as make the question cost
  // nothing that can be measured, see kQuestionMultiplyAdds.
  std::int64_t steps_per_question = 0;
};

/// Hears of a training while it goes on, on the thread that called Train(). An error ends the
/// training with it.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;

  /// An epoch has ended; `state` is between it and the next one.
  virtual absl::Status EpochEnded(const model::v1::EpochMetrics& metrics,
                                  const TrainerState& state) = 0;

  /// Whether to be given the state now, in the middle of an epoch. Called between two steps, now
  /// and then, while the other threads wait: return at once.
  virtual bool WantsState() { return false; }

  /// The state in the middle of an epoch: after WantsState() said so, and once more before Train()
  /// returns because a stop was requested.
  virtual absl::Status StateReached(const TrainerState& /*state*/) { return absl::OkStatus(); }
};

/// Threads that Train() uses: `spec.threads`, or for 0 as many as pay. A step of fewer than
/// kStepMultiplyAddsMin multiply-adds is faster on one thread than on two, because it meets its
/// barriers more often than it has work to share.
int ChooseThreads(const model::v1::TrainingSpec& spec, const network::Network& network);

/// Forward multiply-adds of a step (batch x network) from which a second thread pays.
constexpr std::int64_t kStepMultiplyAddsMin = 1'000'000;

/// Forward multiply-adds from one WantsState() to the next: some 50 microseconds or more, beside
/// which a look at a clock does not show.
constexpr std::int64_t kQuestionMultiplyAdds = 1'000'000;

/// Runs epochs until `spec.epochs` are done, early stopping has had enough or `stop` is requested.
/// `start` is the beginning, or a state that the observer of another Train() on the same input was
/// given: what follows, and what is returned, then equals that one's, bit for bit.
///
/// Each epoch visits every example once in an order drawn from the seed and the epoch's number, in
/// batches of `spec.batch_size` of which the last may be smaller. A whole epoch is one parallel
/// region, left and entered again only where the observer wants the state, and a step allocates
/// nothing. The same input gives the same weights, bit for bit, on any number of threads.
///
/// Early stopping (Keras' EarlyStopping with restore_best_weights): an epoch is better when its
/// validation loss is lower than the best one by more than min_delta; after `patience` epochs in a
/// row that are not, training ends.
///
/// INVALID_ARGUMENT: no examples, sizes that do not fit, early stopping without a validator, or a
/// `start` that no training on this input reaches.
/// FAILED_PRECONDITION: a loss or a weight is not finite; found within the epoch.
/// CANCELLED: `stop` was requested; looked at between two steps.
absl::StatusOr<TrainerState> Train(const TrainingInput& input,
                                   TrainObserver& observer,
                                   const std::stop_token& stop,
                                   TrainerState start = {});

}  // namespace millrace::training
