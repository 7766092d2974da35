// Inference tensors: the Open Inference Protocol's messages to floats and back.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "inference/open_inference_grpc.pb.h"

namespace millrace::serving {

/// The one input that every model has: rows as the network takes them.
inline constexpr std::string_view kInputName = "features";

/// Rows that a request says it has, in [0, rows_max], before anything is checked: for estimates.
std::int64_t ClaimedRows(const inference::ModelInferRequest& request, std::int64_t rows_max);

/// What `features` may be.
struct FeaturesShape {
  std::int64_t inputs = 0;
  std::int64_t rows_max = 0;
};

/// Checks the input of a request and writes it to x [rows, shape.inputs]; returns rows. FP32 and
/// FP64, in contents or raw (little-endian) but not values in both. Parameters that ask for another
/// meaning (classification, shared memory) are refused, others passed over. INVALID_ARGUMENT for
/// anything that is not exactly one finite tensor `features` of shape [1..rows_max, inputs]; sizes
/// are checked before `x` grows.
absl::StatusOr<std::int64_t> ReadFeatures(const inference::ModelInferRequest& request,
                                          const FeaturesShape& shape,
                                          std::vector<float>& x);

/// INVALID_ARGUMENT when the request asks for another output than `name`, or for it twice.
absl::Status CheckRequestedOutputs(const inference::ModelInferRequest& request,
                                   const std::string& name);

/// Writes one FP32 output, answers [rows, columns], in raw form: stock clients read that form
/// whatever they sent.
void AddOutput(const std::string& name,
               std::int64_t rows,
               std::span<const float> answers,
               inference::ModelInferResponse& response);

}  // namespace millrace::serving
