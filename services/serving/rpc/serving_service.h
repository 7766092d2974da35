// ServingService: the gRPC adapter of serving.

#pragma once

#include <string>
#include <string_view>

#include <grpcpp/grpcpp.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "common/rpc/access.h"
#include "common/rpc/call_metrics.h"
#include "services/serving/rpc/message_pool.h"
#include "services/serving/rpc/serving_parts.h"

namespace millrace::serving {

/// Errors are those of the parts; proto/millrace/serving/v1 says what each call does. Thread-safe.
class ServingService final : public v1::ServingService::CallbackService {
 public:
  /// The method that counts its calls itself, in the parts' metrics.
  static constexpr const char* kPredict = "millrace.serving.v1.ServingService/Predict";

  explicit ServingService(const ServingParts& parts);

  static rpc::Permissions Permissions() {
    return rpc::DeclaredPermissions({v1::ServingService::service_full_name()});
  }

  grpc::ServerReadReactor<v1::UploadModelRequest>* UploadModel(grpc::CallbackServerContext* context,
                                                               v1::ModelVersion* response) override;
  grpc::ServerUnaryReactor* CheckModel(grpc::CallbackServerContext* context,
                                       const v1::CheckModelRequest* request,
                                       v1::CheckModelResponse* response) override;
  grpc::ServerUnaryReactor* GetUpload(grpc::CallbackServerContext* context,
                                      const transfer::v1::GetUploadRequest* request,
                                      transfer::v1::Upload* response) override;
  grpc::ServerUnaryReactor* ListUploads(grpc::CallbackServerContext* context,
                                        const transfer::v1::ListUploadsRequest* request,
                                        transfer::v1::ListUploadsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteUpload(grpc::CallbackServerContext* context,
                                         const transfer::v1::DeleteUploadRequest* request,
                                         transfer::v1::DeleteUploadResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::ModelVersion* response) override;
  grpc::ServerUnaryReactor* SetRoute(grpc::CallbackServerContext* context,
                                     const v1::SetRouteRequest* request,
                                     v1::Route* response) override;
  grpc::ServerUnaryReactor* GetRoute(grpc::CallbackServerContext* context,
                                     const v1::GetRouteRequest* request,
                                     v1::Route* response) override;
  grpc::ServerUnaryReactor* ListRouteChanges(grpc::CallbackServerContext* context,
                                             const v1::ListRouteChangesRequest* request,
                                             v1::ListRouteChangesResponse* response) override;
  grpc::ServerUnaryReactor* DeleteModelVersion(grpc::CallbackServerContext* context,
                                               const v1::DeleteModelVersionRequest* request,
                                               v1::DeleteModelVersionResponse* response) override;
  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* context,
                                    const v1::PredictRequest* request,
                                    v1::PredictResponse* response) override;

 private:
  using PredictMessages = MessagePool<v1::PredictRequest, v1::PredictResponse>;

  ServingParts parts_;
  rpc::CallMetrics predict_calls_;
  PredictMessages predict_messages_;
};

}  // namespace millrace::serving
