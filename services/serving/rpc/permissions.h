// Permissions: what each method of serving's services asks of its caller.

#pragma once

#include "common/rpc/access.h"

namespace millrace::serving {

/// One entry a method of ServingService and of the Open Inference Protocol.
inline rpc::Permissions ServingPermissions() {
  using enum security::Permission;
  return {
      {"millrace.serving.v1.ServingService/UploadModel", kWriter},
      {"millrace.serving.v1.ServingService/GetUpload", kWriter},
      {"millrace.serving.v1.ServingService/ListModels", kReader},
      {"millrace.serving.v1.ServingService/GetModel", kReader},
      {"millrace.serving.v1.ServingService/SetRoute", kOperator},
      {"millrace.serving.v1.ServingService/GetRoute", kReader},
      {"millrace.serving.v1.ServingService/ListRouteChanges", kReader},
      {"millrace.serving.v1.ServingService/DeleteModelVersion", kOperator},
      {"millrace.serving.v1.ServingService/Predict", kReader},
      {"inference.GRPCInferenceService/ServerLive", kReader},
      {"inference.GRPCInferenceService/ServerReady", kReader},
      {"inference.GRPCInferenceService/ModelReady", kReader},
      {"inference.GRPCInferenceService/ServerMetadata", kReader},
      {"inference.GRPCInferenceService/ModelMetadata", kReader},
      {"inference.GRPCInferenceService/ModelInfer", kReader},
  };
}

}  // namespace millrace::serving
