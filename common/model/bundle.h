// Bundle: a trained model as bytes and as an object. The layout is in proto/millrace/model/v1/
// bundle.proto.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/model/v1/bundle.pb.h"

namespace millrace::model {

struct Bundle {
  v1::BundleManifest manifest;
  std::vector<float> weights;  // all tensors of the manifest, in order
};

/// The bytes of a bundle. The same bundle gives the same bytes. Sets lineage.weights_sha256 where
/// it is empty. INVALID_ARGUMENT when the weights do not have the tensors' sizes, or another digest
/// than the lineage says.
absl::StatusOr<std::string> WriteBundle(const Bundle& bundle);

/// Reads bytes that may come from anyone: sizes are checked before anything is allocated, products
/// of shapes for overflow, weights for finiteness, the weights' digest against the lineage.
/// DATA_LOSS when they end too early or a digest differs; INVALID_ARGUMENT for anything else that
/// is not a bundle; FAILED_PRECONDITION for a newer format version or contract of numbers.
absl::StatusOr<Bundle> ReadBundle(std::string_view bytes);

/// Says in `lineage` under which contract of numbers a manifest's weights were computed, and under
/// which this build serves them.
void TellNumerics(const v1::BundleManifest& manifest, v1::Lineage& lineage);

}  // namespace millrace::model
