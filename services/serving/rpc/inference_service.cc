#include "services/serving/rpc/inference_service.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/reply.h"
#include "common/status/status.h"
#include "common/version/version.h"
#include "services/serving/rpc/compute.h"
#include "services/serving/rpc/inference_tensors.h"

namespace millrace::serving {

namespace {

const std::string& OutputName(const Predictor& predictor) {
  static const std::string probabilities = "probabilities";
  static const std::string value = "value";
  return predictor.classes().empty() ? value : probabilities;
}

void AddMetadata(const std::string& name,
                 std::int64_t columns,
                 inference::ModelMetadataResponse::TensorMetadata& tensor) {
  tensor.set_name(name);
  tensor.set_datatype("FP32");
  tensor.add_shape(-1);
  tensor.add_shape(columns);
}

absl::Status Infer(const ServedVersion& version,
                   std::int64_t rows_max,
                   const inference::ModelInferRequest& request,
                   std::chrono::steady_clock::time_point arrival,
                   inference::ModelInferResponse& response) {
  thread_local std::vector<float> x;
  thread_local std::vector<float> answers;
  const Predictor& predictor = version.predictor();
  const std::string& output = OutputName(predictor);
  RETURN_IF_ERROR(CheckRequestedOutputs(request, output));
  ASSIGN_OR_RETURN(
      const std::int64_t rows,
      ReadFeatures(request, {.inputs = predictor.input_count(), .rows_max = rows_max}, x));
  answers.resize(static_cast<std::size_t>(rows * predictor.answer_count()));
  RETURN_IF_ERROR(predictor.Infer(rows, x, answers));
  response.Clear();
  response.set_model_name(request.model_name());
  response.set_model_version(std::to_string(version.number()));
  response.set_id(request.id());
  AddOutput(output, rows, answers, response);
  version.Answered(rows, arrival);
  return absl::OkStatus();
}

}  // namespace

InferenceService::InferenceService(const ServedModels& models,
                                   ComputePool& compute,
                                   prometheus::Registry& metrics,
                                   std::int64_t rows_max)
    : models_(models),
      compute_(compute),
      rows_max_(rows_max),
      infer_calls_(metrics, kModelInfer, /*changes=*/false),
      infer_messages_(infer_calls_) {
  MarkMethodCallback(inference::ModelInferRequest::descriptor()
                         ->file()
                         ->service(0)
                         ->FindMethodByName("ModelInfer")
                         ->index(),
                     infer_messages_.Handler([this](auto* context, auto* request, auto* response) {
                       return ModelInfer(context, request, response);
                     }));
}

grpc::ServerUnaryReactor* InferenceService::ServerLive(
    grpc::CallbackServerContext* context,
    const inference::ServerLiveRequest* /*request*/,
    inference::ServerLiveResponse* response) {
  response->set_live(true);
  return rpc::Reply(*context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ServerReady(
    grpc::CallbackServerContext* context,
    const inference::ServerReadyRequest* /*request*/,
    inference::ServerReadyResponse* response) {
  response->set_ready(true);  // the server starts when its models are loaded
  return rpc::Reply(*context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  response->set_ready(models_.Look(request->name(), request->version()).ok());
  return rpc::Reply(*context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(
    grpc::CallbackServerContext* context,
    const inference::ServerMetadataRequest* /*request*/,
    inference::ServerMetadataResponse* response) {
  response->set_name("millrace");
  response->set_version(std::string(Version()));
  return rpc::Reply(*context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(
    grpc::CallbackServerContext* context,
    const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  const auto version = models_.Look(request->name(), request->version());
  if (!version.ok()) {
    return rpc::Reply(*context, version.status());
  }
  const Predictor& predictor = (*version)->predictor();
  response->set_name(request->name());
  for (const std::int32_t number : models_.VersionsOf(request->name())) {
    response->add_versions(std::to_string(number));
  }
  response->set_platform("millrace");
  AddMetadata(std::string(kInputName), predictor.input_count(), *response->add_inputs());
  AddMetadata(OutputName(predictor), predictor.answer_count(), *response->add_outputs());
  return rpc::Reply(*context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const inference::ModelInferRequest* request,
                                                       inference::ModelInferResponse* response) {
  const MeteredCall call = {.context = *context, .meter = InferMessages::MeterOf(*context)};
  auto version = models_.Find(request->model_name(), request->model_version());
  if (!version.ok()) {
    return call.Reply(version.status());
  }
  const double microseconds =
      (*version)->predictor().EstimateMicroseconds(ClaimedRows(*request, rows_max_), 0);
  return Compute(call,
                 compute_,
                 *request,
                 microseconds,
                 [version = *std::move(version),
                  rows_max = rows_max_,
                  request,
                  arrival = call.meter.arrival(),
                  response] { return Infer(*version, rows_max, *request, arrival, *response); });
}

}  // namespace millrace::serving
