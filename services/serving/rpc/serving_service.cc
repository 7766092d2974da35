#include "services/serving/rpc/serving_service.h"

#include <chrono>
#include <memory>
#include <utility>

#include "common/rpc/access.h"
#include "common/rpc/reply.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "services/serving/rpc/compute.h"
#include "services/serving/rpc/row_check.h"
#include "services/serving/rpc/upload.h"

namespace millrace::serving {

namespace {

// A response keeps what its last call left (MessagePool), so the head is mostly there already.
absl::Status Answer(const ServedVersion& version,
                    const v1::PredictRequest& request,
                    std::chrono::steady_clock::time_point arrival,
                    v1::PredictResponse& response) {
  const model::v1::Lineage& lineage = version.head().lineage();
  if (response.lineage().model_version() != lineage.model_version() ||
      response.lineage().bundle_sha256() != lineage.bundle_sha256()) {
    response = version.head();
  }
  RETURN_IF_ERROR(version.predictor().Predict(
      request.columns(), request.rows(), *response.mutable_predictions()));
  version.Answered(request.rows_size(), arrival);
  return absl::OkStatus();
}

absl::StatusOr<v1::DeleteModelVersionResponse> DeleteVersion(
    const ServingParts& parts,
    const grpc::CallbackServerContext& context,
    const std::string& name) {
  RETURN_IF_ERROR(CheckWanted(context));
  RETURN_IF_ERROR(parts.models.Delete(name, rpc::Caller(context)));
  return v1::DeleteModelVersionResponse();
}

}  // namespace

ServingService::ServingService(const ServingParts& parts)
    : parts_(parts),
      predict_calls_(parts.metrics, kPredict, /*changes=*/false),
      predict_messages_(predict_calls_) {
  MarkMethodCallback(
      v1::PredictRequest::descriptor()->file()->service(0)->FindMethodByName("Predict")->index(),
      predict_messages_.Handler([this](auto* context, auto* request, auto* response) {
        return Predict(context, request, response);
      }));
}

grpc::ServerReadReactor<v1::UploadModelRequest>* ServingService::UploadModel(
    grpc::CallbackServerContext* context,
    v1::ModelVersion* response) {
  return new Upload(parts_, *context, *response);  // deletes itself
}

grpc::ServerUnaryReactor* ServingService::CheckModel(grpc::CallbackServerContext* context,
                                                     const v1::CheckModelRequest* request,
                                                     v1::CheckModelResponse* response) {
  return rpc::ReplyFrom(parts_.disk,
                        *context,
                        *response,
                        [this, request]() -> absl::StatusOr<v1::CheckModelResponse> {
                          RETURN_IF_ERROR(parts_.models.Check(request->header()));
                          return v1::CheckModelResponse();
                        });
}

grpc::ServerUnaryReactor* ServingService::GetUpload(grpc::CallbackServerContext* context,
                                                    const transfer::v1::GetUploadRequest* request,
                                                    transfer::v1::Upload* response) {
  return rpc::ReplyFrom(parts_.disk, *context, *response, [this, request] {
    return parts_.uploads.Find(request->upload_id());
  });
}

grpc::ServerUnaryReactor* ServingService::ListUploads(
    grpc::CallbackServerContext* context,
    const transfer::v1::ListUploadsRequest* request,
    transfer::v1::ListUploadsResponse* response) {
  return rpc::ReplyFrom(
      parts_.disk, *context, *response, [this, request] { return parts_.uploads.List(*request); });
}

grpc::ServerUnaryReactor* ServingService::DeleteUpload(
    grpc::CallbackServerContext* context,
    const transfer::v1::DeleteUploadRequest* request,
    transfer::v1::DeleteUploadResponse* response) {
  return rpc::ReplyFrom(parts_.disk, *context, *response, [this, request] {
    return parts_.uploads.Delete(request->name());
  });
}

grpc::ServerUnaryReactor* ServingService::ListModels(grpc::CallbackServerContext* context,
                                                     const v1::ListModelsRequest* request,
                                                     v1::ListModelsResponse* response) {
  return rpc::ReplyFrom(
      parts_.disk, *context, *response, [this, request] { return parts_.models.List(*request); });
}

grpc::ServerUnaryReactor* ServingService::GetModel(grpc::CallbackServerContext* context,
                                                   const v1::GetModelRequest* request,
                                                   v1::ModelVersion* response) {
  return rpc::ReplyFrom(parts_.disk, *context, *response, [this, request] {
    return parts_.models.Get(request->name());
  });
}

grpc::ServerUnaryReactor* ServingService::SetRoute(grpc::CallbackServerContext* context,
                                                   const v1::SetRouteRequest* request,
                                                   v1::Route* response) {
  return rpc::ReplyFrom(
      parts_.disk, *context, *response, [this, context, request]() -> absl::StatusOr<v1::Route> {
        RETURN_IF_ERROR(CheckWanted(*context));
        return parts_.models.SetRoute(request->route(), rpc::Caller(*context));
      });
}

grpc::ServerUnaryReactor* ServingService::GetRoute(grpc::CallbackServerContext* context,
                                                   const v1::GetRouteRequest* request,
                                                   v1::Route* response) {
  return rpc::Reply(*context, parts_.models.GetRoute(request->model()), *response);
}

grpc::ServerUnaryReactor* ServingService::ListRouteChanges(
    grpc::CallbackServerContext* context,
    const v1::ListRouteChangesRequest* request,
    v1::ListRouteChangesResponse* response) {
  return rpc::ReplyFrom(parts_.disk, *context, *response, [this, request] {
    return parts_.models.ListRouteChanges(*request);
  });
}

grpc::ServerUnaryReactor* ServingService::DeleteModelVersion(
    grpc::CallbackServerContext* context,
    const v1::DeleteModelVersionRequest* request,
    v1::DeleteModelVersionResponse* response) {
  return rpc::ReplyFrom(parts_.disk, *context, *response, [this, context, request] {
    return DeleteVersion(parts_, *context, request->name());
  });
}

grpc::ServerUnaryReactor* ServingService::Predict(grpc::CallbackServerContext* context,
                                                  const v1::PredictRequest* request,
                                                  v1::PredictResponse* response) {
  const MeteredCall call = {.context = *context, .meter = PredictMessages::MeterOf(*context)};
  auto version = parts_.models.Find(request->model());
  if (!version.ok()) {
    return call.Reply(version.status());
  }
  const auto answer = [this, request, arrival = call.meter.arrival(), response](
                          const std::shared_ptr<const ServedVersion>& served) -> absl::Status {
    RETURN_IF_ERROR(CheckRows(served->predictor(), request->rows_size(), parts_));
    return Answer(*served, *request, arrival, *response);
  };
  if (*version == nullptr) {
    return LoadAndCompute(
        call,
        parts_.disk,
        [this, request] { return parts_.models.Load(request->model()); },
        answer);
  }
  const double microseconds =
      (*version)->predictor().EstimateMicroseconds(request->rows_size(), request->columns_size());
  return Compute(
      call, parts_.compute, *request, microseconds, [version = *std::move(version), answer] {
        return answer(version);
      });
}

}  // namespace millrace::serving
