#include "services/serving/rpc/inference_service.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/reply.h"
#include "common/status/status.h"
#include "common/version/version.h"
#include "services/serving/rpc/compute.h"
#include "services/serving/rpc/inference_tensors.h"
#include "services/serving/rpc/row_check.h"

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
                   const ServingParts& parts,
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
      ReadFeatures(request, {.inputs = predictor.input_count(), .rows_max = parts.rows_max}, x));
  RETURN_IF_ERROR(CheckRows(predictor, rows, parts));
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

rpc::Permissions InferenceService::Permissions() {
  rpc::Permissions permissions;
  const google::protobuf::ServiceDescriptor& service =
      *inference::ModelInferRequest::descriptor()->file()->service(0);
  for (int i = 0; i < service.method_count(); ++i) {
    permissions.emplace(service.full_name() + "/" + service.method(i)->name(),
                        security::Permission::kReader);
  }
  return permissions;
}

InferenceService::InferenceService(const ServingParts& parts)
    : parts_(parts),
      infer_calls_(parts.metrics, kModelInfer, /*changes=*/false),
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
  response->set_ready(true);  // the server starts when the models with traffic are loaded
  return rpc::Reply(*context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  // A cold one is: its first call loads it.
  response->set_ready(parts_.models.Look(request->name(), request->version()).ok());
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
  const auto version = parts_.models.Look(request->name(), request->version());
  if (!version.ok()) {
    return rpc::Reply(*context, version.status());
  }
  if (*version != nullptr) {
    *response = MetadataOf(request->name(), **version);
    return rpc::Reply(*context, absl::OkStatus());
  }
  return rpc::ReplyFrom(parts_.disk,
                        *context,
                        *response,
                        [this, request]() -> absl::StatusOr<inference::ModelMetadataResponse> {
                          ASSIGN_OR_RETURN(const auto loaded,
                                           parts_.models.Load(request->name(), request->version()));
                          return MetadataOf(request->name(), *loaded);
                        });
}

inference::ModelMetadataResponse InferenceService::MetadataOf(const std::string& name,
                                                              const ServedVersion& version) const {
  inference::ModelMetadataResponse response;
  const Predictor& predictor = version.predictor();
  response.set_name(name);
  for (const std::int32_t number : parts_.models.VersionsOf(name)) {
    response.add_versions(std::to_string(number));
  }
  response.set_platform("millrace");
  AddMetadata(std::string(kInputName), predictor.input_count(), *response.add_inputs());
  AddMetadata(OutputName(predictor), predictor.answer_count(), *response.add_outputs());
  return response;
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const inference::ModelInferRequest* request,
                                                       inference::ModelInferResponse* response) {
  const MeteredCall call = {.context = *context, .meter = InferMessages::MeterOf(*context)};
  auto version = parts_.models.Find(request->model_name(), request->model_version());
  if (!version.ok()) {
    return call.Reply(version.status());
  }
  const auto answer = [this, request, arrival = call.meter.arrival(), response](
                          const std::shared_ptr<const ServedVersion>& served) {
    return Infer(*served, parts_, *request, arrival, *response);
  };
  if (*version == nullptr) {
    return LoadAndCompute(
        call,
        parts_.disk,
        [this, request] {
          return parts_.models.Load(request->model_name(), request->model_version());
        },
        answer);
  }
  const double microseconds =
      (*version)->predictor().EstimateMicroseconds(ClaimedRows(*request, parts_.rows_max), 0);
  return Compute(
      call, parts_.compute, *request, microseconds, [version = *std::move(version), answer] {
        return answer(version);
      });
}

}  // namespace millrace::serving
