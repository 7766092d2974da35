// The models that serving is measured with: 30 real features, a network 30-64-32-1 or a wider one.

#pragma once

#include <string>
#include <vector>

#include "millrace/serving/v1/serving_service.pb.h"

#include "inference/open_inference_grpc.pb.h"

namespace millrace::serving {

/// The bytes of a bundle with such hidden layers.
std::string ReferenceBundle(const std::vector<int>& hidden = {64, 32});

/// Raw rows for the model `id`, with the names of all features.
v1::PredictRequest ReferencePredictRequest(const std::string& id = "reference", int rows = 1);

/// Transformed rows, raw, as stock clients send them.
inference::ModelInferRequest ReferenceInferRequest(const std::string& id = "reference",
                                                   int rows = 1);

}  // namespace millrace::serving
