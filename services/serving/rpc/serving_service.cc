#include "services/serving/rpc/serving_service.h"

#include <utility>

#include "common/rpc/reply.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "services/serving/rpc/compute.h"
#include "services/serving/rpc/upload.h"

namespace millrace::serving {

namespace {

// Ends a unary call from the disk pool with what `work` returns, an absl::Status.
template <typename Work>
grpc::ServerUnaryReactor* OnDisk(grpc::CallbackServerContext& context, rpc::Pool& disk, Work work) {
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  const absl::Status refused =
      disk.Submit([reactor, work = std::move(work)] { reactor->Finish(ToGrpcStatus(work())); });
  if (!refused.ok()) {
    reactor->Finish(ToGrpcStatus(refused));
  }
  return reactor;
}

// A response keeps what its last call left (MessagePool), so the head is mostly there already.
absl::Status Answer(const ServedVersion& version,
                    const v1::PredictRequest& request,
                    v1::PredictResponse& response) {
  const model::v1::Lineage& lineage = version.head().lineage();
  if (response.lineage().model_version() != lineage.model_version() ||
      response.lineage().bundle_sha256() != lineage.bundle_sha256()) {
    response = version.head();
  }
  return version.predictor().Predict(
      request.columns(), request.rows(), *response.mutable_predictions());
}

}  // namespace

ServingService::ServingService(const ServingParts& parts) : parts_(parts) {
  SetMessageAllocatorFor_Predict(&predict_messages_);
}

grpc::ServerReadReactor<v1::UploadModelRequest>* ServingService::UploadModel(
    grpc::CallbackServerContext* context,
    v1::ModelVersion* response) {
  return new Upload(parts_, uploads_, *context, *response);  // deletes itself
}

grpc::ServerUnaryReactor* ServingService::ListModels(grpc::CallbackServerContext* context,
                                                     const v1::ListModelsRequest* request,
                                                     v1::ListModelsResponse* response) {
  return OnDisk(*context, parts_.disk, [this, request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(*response, parts_.models.List(*request));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ServingService::GetModel(grpc::CallbackServerContext* context,
                                                   const v1::GetModelRequest* request,
                                                   v1::ModelVersion* response) {
  return OnDisk(*context, parts_.disk, [this, request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(*response, parts_.models.Get(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ServingService::SetRoute(grpc::CallbackServerContext* context,
                                                   const v1::SetRouteRequest* request,
                                                   v1::Route* response) {
  return OnDisk(*context, parts_.disk, [this, request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(*response, parts_.models.SetRoute(request->route()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ServingService::DeleteModelVersion(
    grpc::CallbackServerContext* context,
    const v1::DeleteModelVersionRequest* request,
    v1::DeleteModelVersionResponse* /*response*/) {
  return OnDisk(
      *context, parts_.disk, [this, request] { return parts_.models.Delete(request->name()); });
}

grpc::ServerUnaryReactor* ServingService::Predict(grpc::CallbackServerContext* context,
                                                  const v1::PredictRequest* request,
                                                  v1::PredictResponse* response) {
  auto version = parts_.models.Find(request->model());
  if (!version.ok()) {
    return rpc::Reply(*context, version.status());
  }
  const double microseconds =
      (*version)->predictor().EstimateMicroseconds(request->rows_size(), request->columns_size());
  return Compute(
      *context, parts_.compute, microseconds, [version = *std::move(version), request, response] {
        return Answer(*version, *request, *response);
      });
}

}  // namespace millrace::serving
