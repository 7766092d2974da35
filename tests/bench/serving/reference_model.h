// The model that serving is measured with: 30 real features, a network 30-64-32-1.

#pragma once

#include <string>

#include "millrace/serving/v1/serving_service.pb.h"

#include "inference/open_inference_grpc.pb.h"

namespace millrace::serving {

/// The bytes of its bundle.
std::string ReferenceBundle();

/// One raw row, with the names of all features.
v1::PredictRequest ReferencePredictRequest();

/// One transformed row, raw, as stock clients send it.
inference::ModelInferRequest ReferenceInferRequest();

}  // namespace millrace::serving
