#include "services/training/evaluate/evaluator.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "common/status/status.h"
#include "services/training/evaluate/metrics.h"

namespace millrace::training {

namespace {

// Rows of one forward pass: enough to keep the kernels busy, few enough to stay in the cache.
constexpr std::int64_t kRowsMax = 1024;

std::size_t Size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

// The architecture that gives what goes into the last activation. Its parameters lie as before.
model::v1::NetworkSpec WithoutLastActivation(model::v1::NetworkSpec spec) {
  model::v1::Layer& last = *spec.mutable_layers()->rbegin();
  if (last.has_dense()) {
    last.mutable_dense()->clear_activation();
  } else {
    last.set_activation(model::v1::ACTIVATION_UNSPECIFIED);
  }
  return spec;
}

}  // namespace

absl::StatusOr<Evaluator> Evaluator::Create(const model::v1::NetworkSpec& spec,
                                            const network::Network& network,
                                            const network::Loss& loss,
                                            schema::v1::Task task) {
  ASSIGN_OR_RETURN(network::Network logits_network,
                   network::Network::Create(WithoutLastActivation(spec), network.inputs()));
  return Evaluator(network, std::move(logits_network), loss, task);
}

absl::StatusOr<Evaluator::Pass> Evaluator::Run(std::span<const float> weights,
                                               std::span<const float> x,
                                               std::span<const float> labels) {
  ASSIGN_OR_RETURN(const network::InferencePlan plan,
                   network::InferencePlan::Create(network_, weights));
  std::optional<network::InferencePlan> logits_plan;
  if (loss_.folds_activation() && !labels.empty()) {
    ASSIGN_OR_RETURN(logits_plan, network::InferencePlan::Create(logits_network_, weights));
  }
  const std::int64_t inputs = network_.inputs();
  const std::int64_t outputs = network_.outputs();
  const std::int64_t answers = loss_.probability_count();
  const std::int64_t examples = static_cast<std::int64_t>(x.size()) / inputs;
  const std::int64_t rows_max = std::min(kRowsMax, examples);
  std::vector<float> y(Size(rows_max * outputs));
  std::vector<float> logits(logits_plan.has_value() ? y.size() : 0);
  Pass pass{.answers = std::vector<float>(Size(examples * answers))};
  for (std::int64_t first = 0; first < examples; first += kRowsMax) {
    const std::int64_t rows = std::min(kRowsMax, examples - first);
    const auto batch = x.subspan(Size(first * inputs), Size(rows * inputs));
    const auto batch_y = std::span<float>(y).first(Size(rows * outputs));
    plan.Run(rows, batch, batch_y, scratch_);
    loss_.Probabilities(
        rows,
        batch_y,
        std::span<float>(pass.answers).subspan(Size(first * answers), Size(rows * answers)));
    if (labels.empty()) {
      continue;
    }
    auto batch_logits = std::span<float>(logits);
    if (logits_plan.has_value()) {
      batch_logits = batch_logits.first(Size(rows * outputs));
      logits_plan->Run(rows, batch, batch_logits, scratch_);
    }
    pass.loss_sum +=
        loss_.Sum(rows, batch_y, batch_logits, labels.subspan(Size(first), Size(rows)));
  }
  return pass;
}

absl::StatusOr<std::vector<float>> Evaluator::Answers(std::span<const float> weights,
                                                      std::span<const float> x) {
  ASSIGN_OR_RETURN(Pass pass, Run(weights, x, {}));
  return std::move(pass.answers);
}

absl::StatusOr<model::v1::Evaluation> Evaluator::Evaluate(std::span<const float> weights,
                                                          const SplitView& split) {
  const std::size_t examples = split.labels.size();
  if (examples == 0 || split.x.size() != examples * Size(network_.inputs())) {
    return InvalidArgument("a split of {} labels needs as many rows of {} inputs, found {} floats",
                           examples,
                           network_.inputs(),
                           split.x.size());
  }
  ASSIGN_OR_RETURN(const Pass pass, Run(weights, split.x, split.labels));
  model::v1::Evaluation evaluation;
  evaluation.set_split(split.split);
  evaluation.set_example_count(static_cast<std::int64_t>(examples));
  evaluation.set_loss(pass.loss_sum / static_cast<double>(examples));
  if (task_ == schema::v1::TASK_REGRESSION) {
    MeasureRegression(pass.answers, split.labels, evaluation);
  } else {
    MeasureClassification(loss_.probability_count(), pass.answers, split.labels, evaluation);
  }
  return evaluation;
}

}  // namespace millrace::training
