#include "services/training/evaluate/baseline.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "common/status/check.h"
#include "common/status/status.h"
#include "services/training/evaluate/metrics.h"

namespace millrace::training {

namespace {

constexpr double kShareMin = 1e-7;

bool TakesLogits(model::v1::Loss kind) {
  return kind == model::v1::LOSS_BINARY_CROSSENTROPY_FROM_LOGITS ||
         kind == model::v1::LOSS_CATEGORICAL_CROSSENTROPY_FROM_LOGITS;
}

std::vector<double> SharesOf(std::int64_t classes, std::span<const float> labels) {
  std::vector<double> shares(static_cast<std::size_t>(classes));
  for (const float label : labels) {
    shares[static_cast<std::size_t>(label)] += 1;
  }
  for (double& share : shares) {
    share = std::max(share / static_cast<double>(labels.size()), kShareMin);
  }
  return shares;
}

// One row of a network that always answers the same: what it gives, and what went into its last
// activation.
struct Answer {
  std::vector<float> y;
  std::vector<float> logits;
};

Answer AnswerOf(std::span<const double> shares, std::int64_t outputs) {
  Answer answer;
  if (outputs == 1) {  // the second of two classes
    answer.y = {static_cast<float>(shares[1])};
    answer.logits = {static_cast<float>(std::log(shares[1] / shares[0]))};
    return answer;
  }
  for (const double share : shares) {
    answer.y.push_back(static_cast<float>(share));
    answer.logits.push_back(static_cast<float>(std::log(share)));
  }
  return answer;
}

double MeanLoss(const network::Loss& loss, const Answer& answer, std::span<const float> labels) {
  const std::vector<float>& y = TakesLogits(loss.kind()) ? answer.logits : answer.y;
  double sum = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    sum += loss.Sum(1, y, answer.logits, labels.subspan(row, 1));
  }
  return sum / static_cast<double>(labels.size());
}

std::string_view NameOf(schema::v1::Split split) {
  return split == schema::v1::SPLIT_VALIDATION ? "validation" : "test";
}

}  // namespace

model::v1::Baseline ConstantBaseline(const network::Loss& loss,
                                     std::int64_t outputs,
                                     std::span<const float> train_labels,
                                     std::span<const float> labels) {
  CHECK(!train_labels.empty() && !labels.empty());
  model::v1::Baseline baseline;
  baseline.set_name("constant");
  const auto count = static_cast<double>(labels.size());
  if (loss.probability_count() == 1) {
    const auto mean =
        static_cast<float>(std::accumulate(train_labels.begin(), train_labels.end(), 0.0) /
                           static_cast<double>(train_labels.size()));
    baseline.set_loss(MeanLoss(loss, {.y = {mean}, .logits = {mean}}, labels));
    double squared = 0;
    for (const float label : labels) {
      const double error = static_cast<double>(label) - static_cast<double>(mean);
      squared += error * error;
    }
    baseline.set_root_mean_squared_error(std::sqrt(squared / count));
    return baseline;
  }
  const std::vector<double> shares = SharesOf(loss.probability_count(), train_labels);
  baseline.set_loss(MeanLoss(loss, AnswerOf(shares, outputs), labels));
  const std::vector<float> probabilities(shares.begin(), shares.end());
  const auto always = static_cast<float>(PredictedClass(probabilities));
  baseline.set_accuracy(static_cast<double>(std::count(labels.begin(), labels.end(), always)) /
                        count);
  return baseline;
}

std::string WorseThanConstant(const model::v1::Evaluation& evaluation) {
  const auto constant = std::find_if(
      evaluation.baselines().begin(),
      evaluation.baselines().end(),
      [](const model::v1::Baseline& baseline) { return baseline.name() == "constant"; });
  CHECK(constant != evaluation.baselines().end());
  if (evaluation.loss() <= constant->loss()) {
    return {};
  }
  return fmt::format("on {} its loss {:.4g} is worse than always answering {}, {:.4g}",
                     NameOf(evaluation.split()),
                     evaluation.loss(),
                     constant->has_accuracy() ? "train's class shares" : "train's mean",
                     constant->loss());
}

}  // namespace millrace::training
