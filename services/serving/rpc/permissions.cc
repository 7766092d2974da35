#include "services/serving/rpc/permissions.h"

namespace millrace::serving {

rpc::Permissions ServingPermissions() {
  using security::Permission;
  return {
      {"inference.GRPCInferenceService/ModelInfer", Permission::kReader},
      {"inference.GRPCInferenceService/ModelMetadata", Permission::kReader},
      {"inference.GRPCInferenceService/ModelReady", Permission::kReader},
      {"inference.GRPCInferenceService/ServerLive", Permission::kReader},
      {"inference.GRPCInferenceService/ServerMetadata", Permission::kReader},
      {"inference.GRPCInferenceService/ServerReady", Permission::kReader},
      {"millrace.serving.v1.ServingService/CheckModel", Permission::kWriter},
      {"millrace.serving.v1.ServingService/DeleteModelVersion", Permission::kOperator},
      {"millrace.serving.v1.ServingService/DeleteUpload", Permission::kWriter},
      {"millrace.serving.v1.ServingService/GetModel", Permission::kReader},
      {"millrace.serving.v1.ServingService/GetRoute", Permission::kReader},
      {"millrace.serving.v1.ServingService/GetUpload", Permission::kWriter},
      {"millrace.serving.v1.ServingService/ListModels", Permission::kReader},
      {"millrace.serving.v1.ServingService/ListRouteChanges", Permission::kReader},
      {"millrace.serving.v1.ServingService/ListUploads", Permission::kOperator},
      {"millrace.serving.v1.ServingService/Predict", Permission::kReader},
      {"millrace.serving.v1.ServingService/SetRoute", Permission::kOperator},
      {"millrace.serving.v1.ServingService/UploadModel", Permission::kWriter},
  };
}

}  // namespace millrace::serving
