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

// One training on its way. Members of the team meet in RunSteps().
class Training {
 public:
  Training(const TrainingInput& input,
           std::unique_ptr<TrainingPlan> plan,
           const std::stop_token& stop)
      : input_(input),
        examples_(static_cast<std::int64_t>(input.labels.size())),
        batch_rows_(std::min<std::int64_t>(input.spec.batch_size(), examples_)),
        plan_(std::move(plan)),
        optimizer_(input.spec.optimizer()),
        team_(ChooseThreads(input.spec, input.network)),
        stop_(stop) {
    batch_x_.resize(Size(batch_rows_ * input.network.inputs()));
    batch_labels_.resize(Size(batch_rows_));
    state_.optimizer_slots.resize(plan_->parameters().size() * Size(optimizer_.slot_count()));
  }

  absl::StatusOr<TrainerState> Run(TrainObserver& observer) {
    while (state_.epoch < input_.spec.epochs()) {
      EpochMetrics metrics;
      RETURN_IF_ERROR(RunEpoch(metrics));
      RETURN_IF_ERROR(MeasureValidation(metrics));
      RETURN_IF_ERROR(observer.EpochEnded(metrics, state_));
      if (HasStoppedImproving()) {
        break;
      }
    }
    return std::move(state_);
  }

 private:
  absl::Status RunEpoch(EpochMetrics& metrics) {
    const auto start = std::chrono::steady_clock::now();
    const std::int32_t epoch = state_.epoch + 1;
    order_ = Random(input_.spec.seed(), kOrderStream + Size(epoch)).Permutation(examples_);
    loss_sum_ = 0;
    go_on_ = true;
    team_.Run([this](ThreadTeam::Member& member) { RunSteps(member); });
    if (!std::isfinite(loss_sum_)) {
      return NotFinite(input_.spec, "the loss", epoch);
    }
    if (!go_on_) {
      return Cancelled("training was stopped in epoch {}", epoch);
    }
    const std::span<const float> weights = plan_->parameters();
    if (!std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); })) {
      return NotFinite(input_.spec, "a weight", epoch);
    }
    state_.weights.assign(weights.begin(), weights.end());
    state_.step += steps_per_epoch();
    state_.epoch = epoch;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    metrics.set_epoch(epoch);
    metrics.set_train_loss(loss_sum_ / static_cast<double>(examples_));
    metrics.set_seconds(seconds.count());
    metrics.set_examples_per_second(static_cast<double>(examples_) /
                                    std::max(seconds.count(), 1e-9));
    return absl::OkStatus();
  }

  // An epoch's steps, run by every member at once. Step() begins and ends at the team's barrier, so
  // gradients are complete before weights move; the one at the end of the loop is for go_on_.
  void RunSteps(ThreadTeam::Member& member) {
    const network::kernels::Range parameters =
        member.Part(static_cast<std::int64_t>(plan_->parameters().size()), kLineFloats);
    const Optimizer::Arrays arrays{.gradients = plan_->gradients(),
                                   .slots = state_.optimizer_slots,
                                   .parameters = plan_->parameters()};
    std::int64_t step = state_.step;
    Gather(member, 0);
    for (std::int64_t first = 0; first < examples_; first += batch_rows_, ++step) {
      const std::int64_t rows = std::min(batch_rows_, examples_ - first);
      plan_->Step(member, step, rows, batch_x_.data(), batch_labels_.data());
      optimizer_.Step(step + 1, parameters, arrays);
      Gather(member, first + batch_rows_);
      if (member.index() == 0) {
        loss_sum_ += plan_->LossSum();
        go_on_ = std::isfinite(loss_sum_) && !stop_.stop_requested();
      }
      member.Barrier();
      if (!go_on_) {
        return;
      }
    }
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

  [[nodiscard]] std::int64_t steps_per_epoch() const {
    return (examples_ + batch_rows_ - 1) / batch_rows_;
  }

  const TrainingInput& input_;
  const std::int64_t examples_;
  const std::int64_t batch_rows_;
  std::unique_ptr<TrainingPlan> plan_;
  Optimizer optimizer_;
  ThreadTeam team_;
  std::stop_token stop_;
  TrainerState state_;
  std::vector<std::int64_t> order_;
  std::vector<float> batch_x_;       // [batch_rows_, inputs]
  std::vector<float> batch_labels_;  // [batch_rows_]
  // Written by the team's first member before a barrier, read by all after it.
  double loss_sum_ = 0;
  bool go_on_ = true;
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
                                   const std::stop_token& stop) {
  RETURN_IF_ERROR(CheckInput(input));
  const auto examples = static_cast<std::int64_t>(input.labels.size());
  ASSIGN_OR_RETURN(std::unique_ptr<TrainingPlan> plan,
                   TrainingPlan::Create(
                       input.network,
                       input.loss,
                       {.batch_rows_max = std::min<std::int64_t>(input.spec.batch_size(), examples),
                        .seed = input.spec.seed()}));
  return Training(input, std::move(plan), stop).Run(observer);
}

}  // namespace millrace::training
