#include "tests/integration/clients.h"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/config/config.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::integration {

namespace {

using data::v1::DatasetVersion;
using data::v1::ImportDatasetRequest;
using data::v1::ImportHeader;
using pipeline::v1::PipelineSpec;
using training::v1::Run;
using training::v1::RunEvent;

constexpr std::string_view kExamples = "deploy/examples/";

template <typename Message>
absl::StatusOr<Message> ReadYaml(std::string_view file_name) {
  Message message;
  const std::string path = fmt::format("{}{}", kExamples, file_name);
  RETURN_IF_ERROR(config::FillFromYaml(path, ReadFile(path), message));
  return message;
}

}  // namespace

void Require(const absl::Status& status) {
  if (!status.ok()) {
    throw std::runtime_error(status.ToString());
  }
}

Clients::Clients(const std::string& data_address,
                 const std::string& training_address,
                 const std::string& serving_address)
    : data_(data::v1::DataService::NewStub(rpc::MakeChannel(data_address))),
      training_(training::v1::TrainingService::NewStub(rpc::MakeChannel(training_address))) {
  const auto channel = rpc::MakeChannel(serving_address);
  serving_ = serving::v1::ServingService::NewStub(channel);
  inference_ = inference::GRPCInferenceService::NewStub(channel);
}

std::string BytesOf(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream text(&bytes);
  google::protobuf::io::CodedOutputStream stream(&text);
  stream.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&stream);
  stream.Trim();  // what it holds back goes to `bytes` before they are returned
  return bytes;
}

std::string ReadFile(std::string_view path) {
  std::ostringstream bytes;
  bytes << std::ifstream(fmt::format("{}/{}", MILLRACE_SOURCE_DIR, path), std::ios::binary).rdbuf();
  return bytes.str();
}

absl::StatusOr<PipelineSpec> ReadExample(std::string_view file_name) {
  return ReadYaml<PipelineSpec>(file_name);
}

absl::StatusOr<model::v1::TrainingSpec> ReadTrainingSpec(std::string_view file_name) {
  return ReadYaml<model::v1::TrainingSpec>(file_name);
}

std::string FileOf(const PipelineSpec& pipeline) {
  return ReadFile(fmt::format("{}{}", kExamples, pipeline.dataset().file()));
}

ImportHeader HeaderOf(std::string_view dataset,
                      std::string_view file_name,
                      std::string_view label) {
  ImportHeader header;
  header.set_dataset(fmt::format("datasets/{}", dataset));
  header.set_file_name(std::string(file_name));
  header.mutable_options()->set_label(std::string(label));
  return header;
}

ImportDatasetRequest HeaderMessage(const ImportHeader& header) {
  ImportDatasetRequest request;
  *request.mutable_header() = header;
  return request;
}

ImportDatasetRequest ChunkMessage(std::size_t offset, std::string_view bytes) {
  ImportDatasetRequest request;
  request.mutable_chunk()->set_offset(static_cast<std::int64_t>(offset));
  request.mutable_chunk()->set_data(std::string(bytes));
  return request;
}

ImportDatasetRequest CloseMessage(std::string_view bytes) {
  ImportDatasetRequest request;
  request.mutable_close()->set_size_bytes(static_cast<std::int64_t>(bytes.size()));
  request.mutable_close()->set_sha256(storage::Sha256Of(bytes));
  return request;
}

ImportMessages MessagesOf(const ImportHeader& header,
                          std::string_view bytes,
                          std::size_t chunk_bytes) {
  ImportMessages messages{HeaderMessage(header)};
  for (std::size_t offset = 0; offset < bytes.size(); offset += chunk_bytes) {
    messages.push_back(ChunkMessage(offset, bytes.substr(offset, chunk_bytes)));
  }
  messages.push_back(CloseMessage(bytes));
  return messages;
}

absl::StatusOr<DatasetVersion> Send(DataStub& stub, const ImportMessages& messages) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  DatasetVersion version;
  const auto stream = stub.ImportDataset(&context, &version);
  for (const ImportDatasetRequest& message : messages) {
    if (!stream->Write(message)) {
      break;  // the service has answered already
    }
  }
  stream->WritesDone();
  RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
  return version;
}

absl::StatusOr<DatasetVersion> Import(DataStub& stub,
                                      const ImportHeader& header,
                                      std::string_view bytes) {
  return Send(stub, MessagesOf(header, bytes));
}

absl::StatusOr<std::vector<RunEvent>> Watch(TrainingStub& stub,
                                            const std::string& run,
                                            std::int64_t after_sequence) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  training::v1::WatchRunRequest request;
  request.set_name(run);
  request.set_after_sequence(after_sequence);
  const auto stream = stub.WatchRun(&context, request);
  std::vector<RunEvent> events;
  for (RunEvent event; stream->Read(&event);) {
    events.push_back(event);
  }
  RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
  return events;
}

absl::StatusOr<Run> Train(TrainingStub& stub, const training::v1::CreateRunRequest& request) {
  ASSIGN_OR_RETURN(const Run queued, Call(stub, &TrainingStub::CreateRun, request));
  ASSIGN_OR_RETURN(const std::vector<RunEvent> events, Watch(stub, queued.name()));
  if (events.empty() || !events.back().has_run()) {
    return Internal("the last event of {} has no run", queued.name());
  }
  return events.back().run();
}

training::v1::CreateRunRequest RunRequest(std::string_view dataset_version,
                                          std::string_view model,
                                          const model::v1::TrainingSpec& spec) {
  training::v1::CreateRunRequest request;
  request.set_dataset_version(std::string(dataset_version));
  request.set_model(fmt::format("models/{}", model));
  *request.mutable_spec() = spec;
  return request;
}

absl::StatusOr<Trained> Apply(Clients& clients, const PipelineSpec& pipeline) {
  ImportHeader header;
  header.set_dataset(fmt::format("datasets/{}", pipeline.dataset().name()));
  const std::string& file = pipeline.dataset().file();
  header.set_file_name(file.substr(file.rfind('/') + 1));
  *header.mutable_options() = pipeline.dataset().options();
  Trained trained;
  ASSIGN_OR_RETURN(trained.version, Import(clients.data(), header, FileOf(pipeline)));
  ASSIGN_OR_RETURN(
      trained.run,
      Train(clients.training(),
            RunRequest(trained.version.name(), pipeline.model(), pipeline.training())));
  if (trained.run.state() != Run::STATE_SUCCEEDED) {
    return Internal("{} ended in {}: {}",
                    trained.run.name(),
                    Run::State_Name(trained.run.state()),
                    trained.run.failure() + trained.run.reason());
  }
  return trained;
}

model::v1::Evaluation EvaluationOf(const Run& run, schema::v1::Split split) {
  for (const model::v1::Evaluation& evaluation : run.evaluations()) {
    if (evaluation.split() == split) {
      return evaluation;
    }
  }
  return {};
}

absl::StatusOr<std::vector<std::string>> Inventory(Clients& clients) {
  constexpr int kPageMax = 1'000;
  data::v1::ListDatasetsRequest datasets_request;
  datasets_request.set_page_size(kPageMax);
  ASSIGN_OR_RETURN(const auto datasets,
                   Call(clients.data(), &DataStub::ListDatasets, datasets_request));
  training::v1::ListRunsRequest runs_request;
  runs_request.set_page_size(kPageMax);
  ASSIGN_OR_RETURN(const auto runs,
                   Call(clients.training(), &TrainingStub::ListRuns, runs_request));
  serving::v1::ListModelsRequest models_request;
  models_request.set_page_size(kPageMax);
  ASSIGN_OR_RETURN(const auto models,
                   Call(clients.serving(), &ServingStub::ListModels, models_request));
  std::vector<std::string> lines;
  for (const DatasetVersion& version : datasets.datasets()) {
    lines.push_back(fmt::format("{} {}", version.name(), version.sha256()));
  }
  for (const Run& run : runs.runs()) {
    lines.push_back(fmt::format("{} {}", run.name(), Run::State_Name(run.state())));
  }
  for (const serving::v1::ModelVersion& model : models.models()) {
    lines.push_back(fmt::format("{} {} %", model.name(), model.traffic_percent()));
  }
  return lines;
}

}  // namespace millrace::integration
