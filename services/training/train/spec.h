// TrainingSpec: its defaults, its limits, and what it becomes on a dataset.

#pragma once

#include <cstdint>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/model/v1/training_spec.pb.h"
#include "millrace/schema/v1/transforms.pb.h"

#include "common/network/loss.h"
#include "common/network/network.h"

namespace millrace::training {

/// Writes the value that 0 or absence stands for into every field of `spec` that has one
/// (training_spec.proto says which), so that a stored spec keeps its meaning when a default
/// changes. Two stay open: the loss, which depends on the dataset (see Bind), and the threads,
/// which do not change any bit.
void FillDefaults(model::v1::TrainingSpec& spec);

/// What a spec may ask for.
struct SpecLimits {
  std::int64_t epochs_max = 100'000;
  std::int64_t batch_size_max = 65'536;
  std::int64_t layers_max = network::kLayersMax;
  std::int64_t units_max = network::kUnitsMax;
};

/// OK, or INVALID_ARGUMENT that names the first field out of its range:
/// "training.batch_size must be in [1, 65536], found 0". Of the network it counts layers and units;
/// Bind() checks the rest.
/// Requires: FillDefaults() was called.
absl::Status Validate(const model::v1::TrainingSpec& spec, const SpecLimits& limits = {});

/// A spec's network and loss on a dataset.
struct BoundSpec {
  network::Network network;
  network::Loss loss;
};

/// What of a dataset version a spec has to fit.
struct DatasetShape {
  const schema::v1::TransformSet& transforms;
  std::int64_t train_count = 0;       // examples
  std::int64_t validation_count = 0;  // likewise
};

/// Works out shapes for a dataset's inputs and classes and chooses the loss where it is open.
/// INVALID_ARGUMENT when the network, the loss or early stopping does not fit the dataset;
/// FAILED_PRECONDITION when the dataset has no label or no train examples.
absl::StatusOr<BoundSpec> Bind(const model::v1::TrainingSpec& spec, const DatasetShape& dataset);

}  // namespace millrace::training
