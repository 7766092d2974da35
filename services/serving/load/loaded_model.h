// LoadedModel: a bundle, ready to answer.

#pragma once

#include <string_view>

#include <absl/status/statusor.h>

#include "millrace/model/v1/bundle.pb.h"

#include "common/features/transformer.h"
#include "common/network/inference_plan.h"
#include "common/network/loss.h"

namespace millrace::serving {

/// What one version of a model computes with. Immutable, thread-safe.
struct LoadedModel {
  model::v1::BundleManifest manifest;
  features::Transformer transformer;
  network::InferencePlan plan;
  network::Loss loss;
};

/// Reads and verifies a bundle's bytes, which may come from anyone, and warms the network with
/// passes over one row and over several, whose bits must agree. Fails as model::ReadBundle() does,
/// with INVALID_ARGUMENT for transforms or outputs that do not fit, and with INTERNAL when this
/// machine computes a row differently alone and among others.
absl::StatusOr<LoadedModel> LoadModel(std::string_view bytes);

}  // namespace millrace::serving
