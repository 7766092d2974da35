// Baseline: what a simple answer is worth beside a network's.

#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "millrace/model/v1/evaluation.pb.h"

#include "common/network/loss.h"

namespace millrace::training {

/// `constant`: every example is answered by train's class shares, or by the mean of train's
/// targets. Its loss is `loss`, so that it compares with an Evaluation's; a share is at least 1e-7,
/// as where probabilities are clipped. The one place that says so.
/// Requires: neither `train_labels` nor `labels` is empty; `outputs` are those of the network that
/// `loss` is bound to.
model::v1::Baseline ConstantBaseline(const network::Loss& loss,
                                     std::int64_t outputs,
                                     std::span<const float> train_labels,
                                     std::span<const float> labels);

/// Examples under which being worse than a baseline says little.
constexpr std::int64_t kJudgedExamplesMin = 30;

/// Says in words that a network with this evaluation is worse than always the same answer; empty
/// where it is not. Requires: the evaluation has a `constant` baseline.
std::string WorseThanConstant(const model::v1::Evaluation& evaluation);

}  // namespace millrace::training
