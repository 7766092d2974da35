// Evaluator: how good weights are on a split.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/model/v1/network.pb.h"
#include "millrace/schema/v1/schema.pb.h"

#include "common/network/inference_plan.h"
#include "common/network/loss.h"
#include "common/network/network.h"

namespace millrace::training {

/// A split in memory; not owned.
struct SplitView {
  schema::v1::Split split = schema::v1::SPLIT_UNSPECIFIED;
  std::span<const float> x;       // [examples, inputs], row-major
  std::span<const float> labels;  // [examples]: a class's index, or the target
};

/// Answers a split by the same InferencePlan and Loss::Probabilities() that serving uses, so that
/// its figures are those of served predictions, bit for bit. Not thread-safe: it keeps buffers.
class Evaluator {
 public:
  /// `spec` is what `network` was created from.
  static absl::StatusOr<Evaluator> Create(const model::v1::NetworkSpec& spec,
                                          const network::Network& network,
                                          const network::Loss& loss,
                                          schema::v1::Task task);

  /// Every figure that evaluation.proto defines for the task, sums in double.
  /// INVALID_ARGUMENT when the split is empty or sizes do not fit the network.
  absl::StatusOr<model::v1::Evaluation> Evaluate(std::span<const float> weights,
                                                 const SplitView& split);

  /// What the network answers for each example: probabilities [examples, classes], or values
  /// [examples] for a regression.
  absl::StatusOr<std::vector<float>> Answers(std::span<const float> weights,
                                             std::span<const float> x);

 private:
  // What one pass over a split gives.
  struct Pass {
    std::vector<float> answers;
    double loss_sum = 0;
  };

  Evaluator(network::Network network,
            network::Network logits_network,
            network::Loss loss,
            schema::v1::Task task)
      : network_(std::move(network)),
        logits_network_(std::move(logits_network)),
        loss_(loss),
        task_(task) {}

  // `labels` is empty where no loss is asked for.
  absl::StatusOr<Pass> Run(std::span<const float> weights,
                           std::span<const float> x,
                           std::span<const float> labels);

  network::Network network_;
  network::Network logits_network_;  // the same without its last activation
  network::Loss loss_;
  schema::v1::Task task_;
  network::InferenceScratch scratch_;
};

}  // namespace millrace::training
