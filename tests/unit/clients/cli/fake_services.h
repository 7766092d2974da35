// FakeServices: the three services as a test's own functions.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/serving/v1/serving_service.grpc.pb.h"
#include "millrace/status/v1/status_service.grpc.pb.h"
#include "millrace/training/v1/training_service.grpc.pb.h"

#include "common/status/grpc_status.h"
#include "common/transfer/transfer.h"

namespace millrace::cli {

/// What a test answers to a call. Set before the call; runs on a thread of the server.
template <typename Request, typename Response>
using Answer = std::function<absl::Status(const Request&, Response&)>;

/// UNIMPLEMENTED where the test has no answer. Takes a pointer as gRPC's methods do.
template <typename Request, typename Response>
grpc::Status Give(const Answer<Request, Response>& answer,
                  const Request* request,
                  Response* response) {
  return answer ? ToGrpcStatus(answer(*request, *response))
                : grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "the test expects no such call");
}

/// Reads an upload to its end, checks it by the transfer protocol, and hands header and bytes on.
template <typename Header, typename Request, typename Take>
absl::Status TakeUpload(grpc::ServerReader<Request>& reader, const Take& take) {
  std::string bytes;
  transfer::Receiver receiver(std::int64_t{1} << 30, [&bytes](std::string_view part) {
    bytes += part;
    return absl::OkStatus();
  });
  Header header;
  absl::Status taken = absl::InvalidArgumentError("the upload has no close");
  for (Request request; reader.Read(&request);) {
    if (request.has_header()) {
      header = request.header();
    } else if (request.has_chunk()) {
      if (absl::Status status = receiver.Take(request.chunk()); !status.ok()) {
        return status;
      }
    } else {
      taken = receiver.Finish(request.close()).status();
    }
  }
  return taken.ok() ? take(header, bytes) : taken;
}

/// Imports are read to their end and checked by the transfer protocol before they are answered.
class FakeDataService final : public data::v1::DataService::Service {
 public:
  std::function<absl::Status(const data::v1::ImportHeader&,
                             const std::string& bytes,
                             data::v1::DatasetVersion&)>
      import_dataset;
  Answer<data::v1::GetDatasetRequest, data::v1::DatasetVersion> get_dataset;
  Answer<data::v1::ListDatasetsRequest, data::v1::ListDatasetsResponse> list_datasets;
  Answer<data::v1::GetStatisticsRequest, data::v1::GetStatisticsResponse> get_statistics;
  Answer<data::v1::DeleteDatasetRequest, data::v1::DeleteDatasetResponse> delete_dataset;
  Answer<data::v1::DeleteDatasetVersionRequest, data::v1::DeleteDatasetVersionResponse>
      delete_dataset_version;
  Answer<transfer::v1::ListUploadsRequest, transfer::v1::ListUploadsResponse> list_uploads;
  Answer<transfer::v1::DeleteUploadRequest, transfer::v1::DeleteUploadResponse> delete_upload;
  std::function<absl::Status(const data::v1::ReadRowsRequest&,
                             grpc::ServerWriter<data::v1::ReadRowsResponse>&)>
      read_rows;

  grpc::Status ReadRows(grpc::ServerContext* /*context*/,
                        const data::v1::ReadRowsRequest* request,
                        grpc::ServerWriter<data::v1::ReadRowsResponse>* writer) override {
    return ToGrpcStatus(read_rows(*request, *writer));
  }

  grpc::Status ImportDataset(grpc::ServerContext* /*context*/,
                             grpc::ServerReader<data::v1::ImportDatasetRequest>* reader,
                             data::v1::DatasetVersion* response) override {
    return ToGrpcStatus(TakeUpload<data::v1::ImportHeader>(
        *reader, [&](const data::v1::ImportHeader& header, const std::string& bytes) {
          return import_dataset(header, bytes, *response);
        }));
  }

  grpc::Status GetDataset(grpc::ServerContext* /*context*/,
                          const data::v1::GetDatasetRequest* request,
                          data::v1::DatasetVersion* response) override {
    return Give(get_dataset, request, response);
  }

  grpc::Status ListDatasets(grpc::ServerContext* /*context*/,
                            const data::v1::ListDatasetsRequest* request,
                            data::v1::ListDatasetsResponse* response) override {
    return Give(list_datasets, request, response);
  }

  grpc::Status GetStatistics(grpc::ServerContext* /*context*/,
                             const data::v1::GetStatisticsRequest* request,
                             data::v1::GetStatisticsResponse* response) override {
    return Give(get_statistics, request, response);
  }

  grpc::Status DeleteDataset(grpc::ServerContext* /*context*/,
                             const data::v1::DeleteDatasetRequest* request,
                             data::v1::DeleteDatasetResponse* response) override {
    return Give(delete_dataset, request, response);
  }

  grpc::Status DeleteDatasetVersion(grpc::ServerContext* /*context*/,
                                    const data::v1::DeleteDatasetVersionRequest* request,
                                    data::v1::DeleteDatasetVersionResponse* response) override {
    return Give(delete_dataset_version, request, response);
  }

  grpc::Status ListUploads(grpc::ServerContext* /*context*/,
                           const transfer::v1::ListUploadsRequest* request,
                           transfer::v1::ListUploadsResponse* response) override {
    return Give(list_uploads, request, response);
  }

  grpc::Status DeleteUpload(grpc::ServerContext* /*context*/,
                            const transfer::v1::DeleteUploadRequest* request,
                            transfer::v1::DeleteUploadResponse* response) override {
    return Give(delete_upload, request, response);
  }
};

class FakeTrainingService final : public training::v1::TrainingService::Service {
 public:
  Answer<training::v1::CreateRunRequest, training::v1::Run> create_run;
  Answer<training::v1::GetRunRequest, training::v1::Run> get_run;
  Answer<training::v1::ListRunsRequest, training::v1::ListRunsResponse> list_runs;
  Answer<training::v1::CancelRunRequest, training::v1::Run> cancel_run;
  Answer<training::v1::PublishRunRequest, training::v1::Run> publish_run;
  Answer<training::v1::DeleteRunRequest, training::v1::DeleteRunResponse> delete_run;
  std::function<absl::Status(grpc::ServerContext&,
                             const training::v1::WatchRunRequest&,
                             grpc::ServerWriter<training::v1::RunEvent>&)>
      watch_run;

  grpc::Status CreateRun(grpc::ServerContext* /*context*/,
                         const training::v1::CreateRunRequest* request,
                         training::v1::Run* response) override {
    return Give(create_run, request, response);
  }

  grpc::Status GetRun(grpc::ServerContext* /*context*/,
                      const training::v1::GetRunRequest* request,
                      training::v1::Run* response) override {
    return Give(get_run, request, response);
  }

  grpc::Status ListRuns(grpc::ServerContext* /*context*/,
                        const training::v1::ListRunsRequest* request,
                        training::v1::ListRunsResponse* response) override {
    return Give(list_runs, request, response);
  }

  grpc::Status CancelRun(grpc::ServerContext* /*context*/,
                         const training::v1::CancelRunRequest* request,
                         training::v1::Run* response) override {
    return Give(cancel_run, request, response);
  }

  grpc::Status PublishRun(grpc::ServerContext* /*context*/,
                          const training::v1::PublishRunRequest* request,
                          training::v1::Run* response) override {
    return Give(publish_run, request, response);
  }

  grpc::Status DeleteRun(grpc::ServerContext* /*context*/,
                         const training::v1::DeleteRunRequest* request,
                         training::v1::DeleteRunResponse* response) override {
    return Give(delete_run, request, response);
  }

  grpc::Status WatchRun(grpc::ServerContext* context,
                        const training::v1::WatchRunRequest* request,
                        grpc::ServerWriter<training::v1::RunEvent>* writer) override {
    return ToGrpcStatus(watch_run(*context, *request, *writer));
  }
};

class FakeServingService final : public serving::v1::ServingService::Service {
 public:
  Answer<serving::v1::ListModelsRequest, serving::v1::ListModelsResponse> list_models;
  Answer<serving::v1::GetModelRequest, serving::v1::ModelVersion> get_model;
  Answer<serving::v1::DeleteModelVersionRequest, serving::v1::DeleteModelVersionResponse>
      delete_model_version;
  Answer<serving::v1::PredictRequest, serving::v1::PredictResponse> predict;
  Answer<serving::v1::CheckModelRequest, serving::v1::CheckModelResponse> check_model;
  Answer<transfer::v1::ListUploadsRequest, transfer::v1::ListUploadsResponse> list_uploads;
  Answer<transfer::v1::DeleteUploadRequest, transfer::v1::DeleteUploadResponse> delete_upload;
  std::function<absl::Status(const serving::v1::UploadHeader&,
                             const std::string& bytes,
                             serving::v1::ModelVersion&)>
      upload_model;

  grpc::Status UploadModel(grpc::ServerContext* /*context*/,
                           grpc::ServerReader<serving::v1::UploadModelRequest>* reader,
                           serving::v1::ModelVersion* response) override {
    return ToGrpcStatus(TakeUpload<serving::v1::UploadHeader>(
        *reader, [&](const serving::v1::UploadHeader& header, const std::string& bytes) {
          return upload_model(header, bytes, *response);
        }));
  }

  Answer<serving::v1::GetRouteRequest, serving::v1::Route> get_route;
  Answer<serving::v1::SetRouteRequest, serving::v1::Route> set_route;
  Answer<serving::v1::ListRouteChangesRequest, serving::v1::ListRouteChangesResponse>
      list_route_changes;

  grpc::Status GetRoute(grpc::ServerContext* /*context*/,
                        const serving::v1::GetRouteRequest* request,
                        serving::v1::Route* response) override {
    return Give(get_route, request, response);
  }

  grpc::Status SetRoute(grpc::ServerContext* /*context*/,
                        const serving::v1::SetRouteRequest* request,
                        serving::v1::Route* response) override {
    return Give(set_route, request, response);
  }

  grpc::Status ListRouteChanges(grpc::ServerContext* /*context*/,
                                const serving::v1::ListRouteChangesRequest* request,
                                serving::v1::ListRouteChangesResponse* response) override {
    return Give(list_route_changes, request, response);
  }

  grpc::Status ListModels(grpc::ServerContext* /*context*/,
                          const serving::v1::ListModelsRequest* request,
                          serving::v1::ListModelsResponse* response) override {
    return Give(list_models, request, response);
  }

  grpc::Status GetModel(grpc::ServerContext* /*context*/,
                        const serving::v1::GetModelRequest* request,
                        serving::v1::ModelVersion* response) override {
    return Give(get_model, request, response);
  }

  grpc::Status DeleteModelVersion(grpc::ServerContext* /*context*/,
                                  const serving::v1::DeleteModelVersionRequest* request,
                                  serving::v1::DeleteModelVersionResponse* response) override {
    return Give(delete_model_version, request, response);
  }

  grpc::Status Predict(grpc::ServerContext* /*context*/,
                       const serving::v1::PredictRequest* request,
                       serving::v1::PredictResponse* response) override {
    return Give(predict, request, response);
  }

  grpc::Status CheckModel(grpc::ServerContext* /*context*/,
                          const serving::v1::CheckModelRequest* request,
                          serving::v1::CheckModelResponse* response) override {
    return Give(check_model, request, response);
  }

  grpc::Status ListUploads(grpc::ServerContext* /*context*/,
                           const transfer::v1::ListUploadsRequest* request,
                           transfer::v1::ListUploadsResponse* response) override {
    return Give(list_uploads, request, response);
  }

  grpc::Status DeleteUpload(grpc::ServerContext* /*context*/,
                            const transfer::v1::DeleteUploadRequest* request,
                            transfer::v1::DeleteUploadResponse* response) override {
    return Give(delete_upload, request, response);
  }
};

/// What every service has besides. Without an answer it is one of a release before that.
class FakeStatusService final : public status::v1::StatusService::Service {
 public:
  Answer<status::v1::GetStatusRequest, status::v1::Status> get_status;

  grpc::Status GetStatus(grpc::ServerContext* /*context*/,
                         const status::v1::GetStatusRequest* request,
                         status::v1::Status* response) override {
    return Give(get_status, request, response);
  }
};

}  // namespace millrace::cli
