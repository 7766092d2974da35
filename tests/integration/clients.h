// Clients: what a test says to the services. Every call has a deadline, and an error comes back
// with the code, the message and the fix that were sent.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/model/v1/training_spec.pb.h"
#include "millrace/pipeline/v1/pipeline.pb.h"
#include "millrace/serving/v1/serving_service.grpc.pb.h"
#include "millrace/training/v1/training_service.grpc.pb.h"

#include "common/rpc/channel.h"
#include "common/status/grpc_status.h"
#include "inference/open_inference_grpc.grpc.pb.h"

namespace millrace::integration {

using DataStub = data::v1::DataService::Stub;
using TrainingStub = training::v1::TrainingService::Stub;
using ServingStub = serving::v1::ServingService::Stub;
using InferenceStub = inference::GRPCInferenceService::Stub;

/// Far more than any call here takes: who waits so long has found a hang.
constexpr std::chrono::seconds kCallMax{30};

/// Ends a test, or the set-up of a suite, with the error; for what all that follows needs.
void Require(const absl::Status& status);

/// Stubs over channels of their own.
class Clients {
 public:
  Clients(const std::string& data_address,
          const std::string& training_address,
          const std::string& serving_address);

  DataStub& data() { return *data_; }

  TrainingStub& training() { return *training_; }

  ServingStub& serving() { return *serving_; }

  InferenceStub& inference() { return *inference_; }

 private:
  std::unique_ptr<DataStub> data_;
  std::unique_ptr<TrainingStub> training_;
  std::unique_ptr<ServingStub> serving_;
  std::unique_ptr<InferenceStub> inference_;
};

/// One unary call: `Call(clients.data(), &DataStub::GetDataset, request)`.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
                              const Request& request,
                              std::chrono::milliseconds timeout = kCallMax) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, timeout);
  Response response;
  if (const grpc::Status status = (stub.*method)(&context, request, &response); !status.ok()) {
    return FromGrpcStatus(status);
  }
  return response;
}

/// The message's bytes, with maps in the order of their keys: equal exactly when the messages are.
std::string BytesOf(const google::protobuf::Message& message);

/// The whole of a file below the repository's folder: `tests/data/iris.csv`.
std::string ReadFile(std::string_view path);

/// A pipeline of `deploy/examples`, by its file's name.
absl::StatusOr<pipeline::v1::PipelineSpec> ReadExample(std::string_view file_name);

/// A training spec of `deploy/examples`, by its file's name.
absl::StatusOr<model::v1::TrainingSpec> ReadTrainingSpec(std::string_view file_name);

/// The bytes of a pipeline's file.
std::string FileOf(const pipeline::v1::PipelineSpec& pipeline);

using ImportMessages = std::vector<data::v1::ImportDatasetRequest>;

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;

/// How to read `file_name`, and nothing more said than its label.
data::v1::ImportHeader HeaderOf(std::string_view dataset,
                                std::string_view file_name,
                                std::string_view label);

data::v1::ImportDatasetRequest HeaderMessage(const data::v1::ImportHeader& header);
data::v1::ImportDatasetRequest ChunkMessage(std::size_t offset, std::string_view bytes);

/// The close that fits `bytes`.
data::v1::ImportDatasetRequest CloseMessage(std::string_view bytes);

/// A whole import.
ImportMessages MessagesOf(const data::v1::ImportHeader& header,
                          std::string_view bytes,
                          std::size_t chunk_bytes = kChunkBytes);

/// Sends the messages, then the end of the stream.
absl::StatusOr<data::v1::DatasetVersion> Send(DataStub& stub, const ImportMessages& messages);

absl::StatusOr<data::v1::DatasetVersion> Import(DataStub& stub,
                                                const data::v1::ImportHeader& header,
                                                std::string_view bytes);

/// A run's events from `after_sequence` on, to its end.
absl::StatusOr<std::vector<training::v1::RunEvent>> Watch(TrainingStub& stub,
                                                          const std::string& run,
                                                          std::int64_t after_sequence = 0);

/// Creates a run and returns it as it ended, in whatever state.
absl::StatusOr<training::v1::Run> Train(TrainingStub& stub,
                                        const training::v1::CreateRunRequest& request);

training::v1::CreateRunRequest RunRequest(std::string_view dataset_version,
                                          std::string_view model,
                                          const model::v1::TrainingSpec& spec);

/// What became of a pipeline.
struct Trained {
  data::v1::DatasetVersion version;
  training::v1::Run run;
};

/// Imports, trains and publishes. Fails also when the run did not succeed.
absl::StatusOr<Trained> Apply(Clients& clients, const pipeline::v1::PipelineSpec& pipeline);

/// The figures of one split, or zeros when it has none.
model::v1::Evaluation EvaluationOf(const training::v1::Run& run, schema::v1::Split split);

/// Everything that a call could change: each dataset version with its digest, each run with its
/// state, each model version with its traffic.
absl::StatusOr<std::vector<std::string>> Inventory(Clients& clients);

}  // namespace millrace::integration
