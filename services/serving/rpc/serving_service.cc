#include "services/serving/rpc/serving_service.h"

#include <chrono>
#include <utility>

#include "common/rpc/access.h"
#include "common/rpc/reply.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "services/serving/rpc/compute.h"
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

absl::Status CheckRowCount(std::int64_t rows, std::int64_t rows_max) {
  if (rows < 1 || rows > rows_max) {
    return InvalidArgument("a request must have 1 to {} rows, found {}", rows_max, rows);
  }
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
  return new Upload(parts_, uploads_, *context, *response);  // deletes itself
}

grpc::ServerUnaryReactor* ServingService::GetUpload(grpc::CallbackServerContext* context,
                                                    const transfer::v1::GetUploadRequest* request,
                                                    transfer::v1::Upload* response) {
  return rpc::ReplyFrom(parts_.disk, *context, *response, [this, request] {
    return parts_.uploads.Find(request->upload_id());
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
  const absl::Status counted = CheckRowCount(request->rows_size(), parts_.rows_max);
  if (!counted.ok()) {
    return call.Reply(counted);
  }
  const double microseconds =
      (*version)->predictor().EstimateMicroseconds(request->rows_size(), request->columns_size());
  return Compute(
      call,
      parts_.compute,
      *request,
      microseconds,
      [version = *std::move(version), request, arrival = call.meter.arrival(), response] {
        return Answer(*version, *request, arrival, *response);
      });
}

}  // namespace millrace::serving
