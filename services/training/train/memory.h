// Memory: what a training needs of it, known before it begins.

#pragma once

#include <cstdint>

#include "millrace/model/v1/training_spec.pb.h"

#include "common/network/network.h"

namespace millrace::training {

/// Bytes that training `spec` on `examples` rows, of all splits together, takes: weights, gradients
/// and a copy, what the optimizer and early stopping keep beside them, a batch's activations and
/// their gradients, and the examples. What does not fit 63 bits is the largest of them.
/// Requires: the spec is valid (spec.h), and `network` is its.
std::int64_t TrainingBytes(const model::v1::TrainingSpec& spec,
                           const network::Network& network,
                           std::int64_t examples);

}  // namespace millrace::training
