#include "services/training/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "common/clock/random.h"
#include "common/network/thread_team.h"
#include "common/network/training_plan.h"
#include "common/status/status.h"
#include "services/training/train/optimizer.h"

namespace millrace::training {

namespace {

using model::v1::EpochMetrics;
using model::v1::TrainingSpec;
using network::ThreadTeam;
using network::TrainingPlan;

// Random streams of epochs' orders begin here, beside those of layers and dropout (random.h).
constexpr std::uint64_t kOrderStream = std::uint64_t{1} << 40U;

// Floats of a cache line: what two threads write should not share one.
constexpr std::int64_t kLineFloats = 16;

constexpr int kThreadsMax = 64;

std::size_t Size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

std::string_view OptimizerName(const TrainingSpec& spec) {
  switch (spec.optimizer().kind_case()) {
    case model::v1::Optimizer::kSgd:
      return "sgd";
    case model::v1::Optimizer::kAdamw:
      return "adamw";
    case model::v1::Optimizer::kRmsprop:
      return "rmsprop";
    default:
      return "adam";
  }
}

absl::Status NotFinite(const TrainingSpec& spec, std::string_view what, std::int32_t epoch) {
  return WithFix(
      FailedPrecondition("{} is no longer a finite number in epoch {}", what, epoch),
      fmt::format("lower training.optimizer.{}.learning_rate, or import the dataset with scaling",
                  OptimizerName(spec)));
}

absl::Status CheckInput(const TrainingInput& input) {
  const auto examples = static_cast<std::int64_t>(input.labels.size());
  if (examples == 0) {
    return InvalidArgument("the train split has no examples");
  }
  if (static_cast<std::int64_t>(input.x.size()) != examples * input.network.inputs()) {
    return InvalidArgument("{} examples of {} inputs need {} floats, found {}",
                           examples,
                           input.network.inputs(),
                           examples * input.network.inputs(),
                           input.x.size());
  }
  if (input.spec.has_early_stopping() && !input.validator) {
    return InvalidArgument("training.early_stopping needs a validator");
  }
  return absl::OkStatus();
}

// Whether a training on `input` can be where `state` says, the weights being there.
absl::Status CheckStart(const TrainingInput& input,
                        std::int64_t batch_rows,
                        std::size_t slots,
                        const TrainerState& state) {
  const auto parameters = static_cast<std::size_t>(input.network.parameter_count());
  if (state.weights.size() != parameters || state.optimizer_slots.size() != slots ||
      (!state.best_weights.empty() && state.best_weights.size() != parameters)) {
    return InvalidArgument(
        "a state of this training has {} weights and {} slots, found {}, {} and {} best weights",
        parameters,
        slots,
        state.weights.size(),
        state.optimizer_slots.size(),
        state.best_weights.size());
  }
  const auto examples = static_cast<std::int64_t>(input.labels.size());
  const std::int64_t steps_per_epoch = (examples + batch_rows - 1) / batch_rows;
  const std::int64_t steps = (state.examples_done + batch_rows - 1) / batch_rows;
  const bool is_between_steps =
      state.examples_done == examples || state.examples_done % batch_rows == 0;
  if (state.epoch < 0 || state.epoch > input.spec.epochs() || state.best_epoch < 0 ||
      state.best_epoch > state.epoch || state.examples_done < 0 || state.examples_done > examples ||
      !is_between_steps || state.step != state.epoch * steps_per_epoch + steps) {
    return InvalidArgument(
        "no state of this training, of {} epochs of {} steps, has {} epochs, {} steps, {} examples "
        "and the best epoch {}",
        input.spec.epochs(),
        steps_per_epoch,
        state.epoch,
        state.step,
        state.examples_done,
        state.best_epoch);
  }
  return absl::OkStatus();
}

// One training on its way. Members of the team meet in RunSteps().
class Training {
 public:
  Training(const TrainingInput& input,
           std::unique_ptr<TrainingPlan> plan,
           TrainObserver& observer,
           std::stop_token stop)
      : input_(input),
        examples_(static_cast<std::int64_t>(input.labels.size())),
        batch_rows_(std::min<std::int64_t>(input.spec.batch_size(), examples_)),
        steps_per_question_(StepsPerQuestion(input)),
        plan_(std::move(plan)),
        optimizer_(input.spec.optimizer()),
        team_(ChooseThreads(input.spec, input.network)),
        observer_(observer),
        stop_(std::move(stop)) {
    batch_x_.resize(Size(batch_rows_ * input.network.inputs()));
    batch_labels_.resize(Size(batch_rows_));
  }

  // To be called first. No weights mean the beginning.
  absl::Status StartFrom(TrainerState start) {
    const std::span<float> weights = plan_->parameters();
    const std::size_t slots = weights.size() * Size(optimizer_.slot_count());
    if (start.weights.empty()) {
      start.weights.assign(weights.begin(), weights.end());
      start.optimizer_slots.resize(slots);
    }
    RETURN_IF_ERROR(CheckStart(input_, batch_rows_, slots, start));
    state_ = std::move(start);
    std::copy(state_.weights.begin(), state_.weights.end(), weights.begin());
    return absl::OkStatus();
  }

  absl::StatusOr<TrainerState> Run() {
    while (state_.epoch < input_.spec.epochs() && !HasStoppedImproving()) {
      EpochMetrics metrics;
      RETURN_IF_ERROR(RunEpoch(metrics));
      RETURN_IF_ERROR(MeasureValidation(metrics));
      RETURN_IF_ERROR(observer_.EpochEnded(metrics, state_));
    }
    return std::move(state_);
  }

 private:
  // Why the members left RunSteps().
  enum class Leaving {
    kEpochIsOver,
    kLossIsNotFinite,
    kStateIsWanted,
    kStopIsRequested,
  };

  static std::int64_t StepsPerQuestion(const TrainingInput& input) {
    if (input.steps_per_question > 0) {
      return input.steps_per_question;
    }
    const std::int64_t step = input.network.multiply_add_count() * input.spec.batch_size();
    return std::max<std::int64_t>(kQuestionMultiplyAdds / std::max<std::int64_t>(step, 1), 1);
  }

  // The epoch after `state_`, or what is left of it.
  absl::Status RunEpoch(EpochMetrics& metrics) {
    const std::int32_t epoch = state_.epoch + 1;
    order_ = Random(input_.spec.seed(), kOrderStream + Size(epoch)).Permutation(examples_);
    do {
      RETURN_IF_ERROR(RunPart(epoch));
    } while (leaving_ != Leaving::kEpochIsOver);
    return EndEpoch(metrics);
  }

  // One parallel region, to the epoch's end or to where the observer is given the state.
  absl::Status RunPart(std::int32_t epoch) {
    const auto start = std::chrono::steady_clock::now();
    leaving_ = Leaving::kEpochIsOver;
    team_.Run([this](ThreadTeam::Member& member) { RunSteps(member); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    state_.seconds += seconds.count();
    if (leaving_ == Leaving::kLossIsNotFinite) {
      return NotFinite(input_.spec, "the loss", epoch);
    }
    const std::span<const float> weights = plan_->parameters();
    state_.weights.assign(weights.begin(), weights.end());
    if (leaving_ != Leaving::kEpochIsOver) {
      RETURN_IF_ERROR(observer_.StateReached(state_));
    }
    return leaving_ == Leaving::kStopIsRequested
               ? Cancelled("training was stopped in epoch {}", epoch)
               : absl::OkStatus();
  }

  absl::Status EndEpoch(EpochMetrics& metrics) {
    ++state_.epoch;
    const std::vector<float>& weights = state_.weights;
    if (!std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); })) {
      return NotFinite(input_.spec, "a weight", state_.epoch);
    }
    metrics.set_epoch(state_.epoch);
    metrics.set_train_loss(state_.loss_sum / static_cast<double>(examples_));
    metrics.set_seconds(state_.seconds);
    metrics.set_examples_per_second(static_cast<double>(examples_) /
                                    std::max(state_.seconds, 1e-9));
    state_.examples_done = 0;
    state_.loss_sum = 0;
    state_.seconds = 0;
    return absl::OkStatus();
  }

  // The steps that an epoch has left, run by every member at once. Step() begins and ends at the
  // team's barrier, so gradients are complete before weights move, and no member writes `state_`
  // before all have read where to begin; the one at the end of the loop is for leaving_.
  void RunSteps(ThreadTeam::Member& member) {
    const network::kernels::Range parameters =
        member.Part(static_cast<std::int64_t>(plan_->parameters().size()), kLineFloats);
    const Optimizer::Arrays arrays{.gradients = plan_->gradients(),
                                   .slots = state_.optimizer_slots,
                                   .parameters = plan_->parameters()};
    std::int64_t step = state_.step;
    std::int64_t first = state_.examples_done;
    Gather(member, first);
    while (first < examples_) {
      const std::int64_t rows = std::min(batch_rows_, examples_ - first);
      plan_->Step(member, step, rows, batch_x_.data(), batch_labels_.data());
      ++step;
      optimizer_.Step(step, parameters, arrays);
      first += rows;
      Gather(member, first);
      if (member.index() == 0) {
        state_.step = step;
        state_.examples_done = first;
        state_.loss_sum += plan_->LossSum();
        leaving_ = WhetherToLeave();
      }
      member.Barrier();
      if (leaving_ != Leaving::kEpochIsOver) {
        return;
      }
    }
  }

  // Between two steps, by the first member. kEpochIsOver: not before that.
  Leaving WhetherToLeave() {
    if (!std::isfinite(state_.loss_sum)) {
      return Leaving::kLossIsNotFinite;
    }
    if (stop_.stop_requested()) {
      return Leaving::kStopIsRequested;
    }
    if (++steps_since_question_ < steps_per_question_) {
      return Leaving::kEpochIsOver;
    }
    steps_since_question_ = 0;
    const bool wanted = state_.examples_done < examples_ && observer_.WantsState();
    return wanted ? Leaving::kStateIsWanted : Leaving::kEpochIsOver;
  }

  // Copies the examples at places [first, first + batch) of the epoch's order side by side.
  void Gather(ThreadTeam::Member& member, std::int64_t first) {
    const std::int64_t rows = std::min(batch_rows_, examples_ - first);
    if (rows <= 0) {
      return;
    }
    const std::size_t inputs = Size(input_.network.inputs());
    const network::kernels::Range part = member.Part(rows);
    const std::int64_t* const order = order_.data() + first;
    for (std::int64_t row = part.first; row < part.last; ++row) {
      const std::size_t from = Size(order[row]);
      std::copy_n(input_.x.data() + from * inputs, inputs, batch_x_.data() + Size(row) * inputs);
      batch_labels_[Size(row)] = input_.labels[from];
    }
  }

  absl::Status MeasureValidation(EpochMetrics& metrics) {
    if (!input_.validator) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(*metrics.mutable_validation(), input_.validator(state_.weights));
    const double loss = metrics.validation().loss();
    if (!std::isfinite(loss)) {
      return NotFinite(input_.spec, "the validation loss", state_.epoch);
    }
    if (input_.spec.has_early_stopping() &&
        loss < state_.best_loss - input_.spec.early_stopping().min_delta()) {
      state_.best_loss = loss;
      state_.best_epoch = state_.epoch;
      state_.best_weights = state_.weights;
    }
    return absl::OkStatus();
  }

  [[nodiscard]] bool HasStoppedImproving() const {
    return input_.spec.has_early_stopping() &&
           state_.epoch - state_.best_epoch >= input_.spec.early_stopping().patience();
  }

  const TrainingInput& input_;
  const std::int64_t examples_;
  const std::int64_t batch_rows_;
  const std::int64_t steps_per_question_;
  std::unique_ptr<TrainingPlan> plan_;
  Optimizer optimizer_;
  ThreadTeam team_;
  TrainObserver& observer_;
  std::stop_token stop_;
  // `weights` are those of the last pause; inside a region the plan has the newer ones.
  TrainerState state_;
  std::vector<std::int64_t> order_;
  std::vector<float> batch_x_;       // [batch_rows_, inputs]
  std::vector<float> batch_labels_;  // [batch_rows_]
  std::int64_t steps_since_question_ = 0;
  // Written by the team's first member before a barrier, read by all after it.
  Leaving leaving_ = Leaving::kEpochIsOver;
};

}  // namespace

int ChooseThreads(const TrainingSpec& spec, const network::Network& network) {
  if (spec.threads() > 0) {
    return spec.threads();
  }
  if (network.multiply_add_count() * spec.batch_size() < kStepMultiplyAddsMin) {
    return 1;
  }
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kThreadsMax);
}

absl::StatusOr<TrainerState> Train(const TrainingInput& input,
                                   TrainObserver& observer,
                                   const std::stop_token& stop,
                                   TrainerState start) {
  RETURN_IF_ERROR(CheckInput(input));
  const auto examples = static_cast<std::int64_t>(input.labels.size());
  ASSIGN_OR_RETURN(std::unique_ptr<TrainingPlan> plan,
                   TrainingPlan::Create(
                       input.network,
                       input.loss,
                       {.batch_rows_max = std::min<std::int64_t>(input.spec.batch_size(), examples),
                        .seed = input.spec.seed()}));
  Training training(input, std::move(plan), observer, stop);
  RETURN_IF_ERROR(training.StartFrom(std::move(start)));
  return training.Run();
}

}  // namespace millrace::training
