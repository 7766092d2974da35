#include "services/data/rpc/data_service.h"

#include <string>
#include <utility>

#include "common/memory/memory.h"
#include "common/resource/name.h"
#include "common/rpc/reply.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "services/data/rpc/read_rows.h"

namespace millrace::data {

namespace {

constexpr std::int32_t kPageDefault = 100;
constexpr std::int32_t kPageMax = 1'000;
constexpr int kReaderThreads = 4;
constexpr std::size_t kReadersWaitingMax = 4'096;

bool HasVersion(const VersionedName& name) {
  return name.version != 0 || !name.sha256.empty();
}

absl::StatusOr<v1::ListDatasetsResponse> List(DatasetStore& store,
                                              const v1::ListDatasetsRequest& request) {
  if (request.page_size() < 0 || request.page_size() > kPageMax) {
    return InvalidArgument("page_size must be in [0, {}], found {}", kPageMax, request.page_size());
  }
  std::string dataset;
  if (!request.dataset().empty()) {
    ASSIGN_OR_RETURN(const VersionedName name,
                     ParseVersionedName("datasets", "dataset", request.dataset()));
    if (HasVersion(name)) {
      return InvalidArgument("dataset must be without a version, found '{}'", request.dataset());
    }
    dataset = name.id;
  }
  return store.List(
      dataset, request.page_size() == 0 ? kPageDefault : request.page_size(), request.page_token());
}

absl::StatusOr<std::int32_t> DeleteNamed(DatasetStore& store,
                                         const VersionedName& name,
                                         const std::string& shown) {
  ASSIGN_OR_RETURN(const std::int32_t count, store.Delete(name));
  log::Info("dataset_deleted", {{"dataset", shown}, {"versions", std::to_string(count)}});
  return count;
}

absl::StatusOr<v1::DeleteDatasetResponse> Delete(DatasetStore& store,
                                                 const v1::DeleteDatasetRequest& request) {
  ASSIGN_OR_RETURN(const VersionedName name,
                   ParseVersionedName("datasets", "name", request.name()));
  if (HasVersion(name)) {
    return WithFix(InvalidArgument("name must be without a version, found '{}'", request.name()),
                   "DeleteDatasetVersion deletes one version");
  }
  if (!request.force()) {
    RETURN_IF_ERROR(store.Get(name).status());
    return WithFix(FailedPrecondition("{} has versions", request.name()),
                   "set force to delete them with it");
  }
  v1::DeleteDatasetResponse response;
  ASSIGN_OR_RETURN(const std::int32_t count, DeleteNamed(store, name, request.name()));
  response.set_deleted_count(count);
  return response;
}

absl::StatusOr<v1::DeleteDatasetVersionResponse> DeleteVersion(
    DatasetStore& store,
    const v1::DeleteDatasetVersionRequest& request) {
  ASSIGN_OR_RETURN(const VersionedName name,
                   ParseVersionedName("datasets", "name", request.name()));
  if (!HasVersion(name)) {
    return WithFix(InvalidArgument("name must be one of a version, found '{}'", request.name()),
                   "DeleteDataset deletes a dataset with all of its versions");
  }
  RETURN_IF_ERROR(DeleteNamed(store, name, request.name()).status());
  return v1::DeleteDatasetVersionResponse();
}

}  // namespace

DataService::DataService(ImportParts parts, ReadLimits limits)
    : import_(std::move(parts)),
      budget_(limits.bytes_max),
      cache_(limits.cache),
      quiet_(limits.quiet,
             [this] {
               cache_.Clear();
               GiveFreedMemory();
             }),
      readers_(kReaderThreads, kReadersWaitingMax),
      read_{.store = import_.store,
            .cache = cache_,
            .budget = budget_,
            .pool = readers_,
            .quiet = quiet_} {}

grpc::ServerReadReactor<v1::ImportDatasetRequest>* DataService::ImportDataset(
    grpc::CallbackServerContext* context,
    v1::DatasetVersion* response) {
  return new ImportCall(import_, quiet_.Begin(), *context, *response);
}

grpc::ServerUnaryReactor* DataService::GetUpload(grpc::CallbackServerContext* context,
                                                 const transfer::v1::GetUploadRequest* request,
                                                 transfer::v1::Upload* response) {
  return rpc::ReplyFrom(import_.disk, *context, *response, [this, request] {
    return import_.uploads.Find(request->upload_id());
  });
}

grpc::ServerUnaryReactor* DataService::ListUploads(grpc::CallbackServerContext* context,
                                                   const transfer::v1::ListUploadsRequest* request,
                                                   transfer::v1::ListUploadsResponse* response) {
  return rpc::ReplyFrom(import_.disk, *context, *response, [this, request] {
    return import_.uploads.List(*request);
  });
}

grpc::ServerUnaryReactor* DataService::DeleteUpload(
    grpc::CallbackServerContext* context,
    const transfer::v1::DeleteUploadRequest* request,
    transfer::v1::DeleteUploadResponse* response) {
  return rpc::ReplyFrom(import_.disk, *context, *response, [this, request] {
    return import_.uploads.Delete(request->name());
  });
}

grpc::ServerUnaryReactor* DataService::GetDataset(grpc::CallbackServerContext* context,
                                                  const v1::GetDatasetRequest* request,
                                                  v1::DatasetVersion* response) {
  return rpc::ReplyFrom(
      import_.disk, *context, *response, [this, request]() -> absl::StatusOr<v1::DatasetVersion> {
        ASSIGN_OR_RETURN(const VersionedName name,
                         ParseVersionedName("datasets", "name", request->name()));
        return import_.store.Get(name);
      });
}

grpc::ServerUnaryReactor* DataService::ListDatasets(grpc::CallbackServerContext* context,
                                                    const v1::ListDatasetsRequest* request,
                                                    v1::ListDatasetsResponse* response) {
  return rpc::ReplyFrom(
      import_.disk, *context, *response, [this, request] { return List(import_.store, *request); });
}

grpc::ServerUnaryReactor* DataService::GetStatistics(grpc::CallbackServerContext* context,
                                                     const v1::GetStatisticsRequest* request,
                                                     v1::GetStatisticsResponse* response) {
  return rpc::ReplyFrom(import_.disk,
                        *context,
                        *response,
                        [this, request]() -> absl::StatusOr<v1::GetStatisticsResponse> {
                          ASSIGN_OR_RETURN(const VersionedName name,
                                           ParseVersionedName("datasets", "name", request->name()));
                          return import_.store.Statistics(name);
                        });
}

grpc::ServerUnaryReactor* DataService::DeleteDataset(grpc::CallbackServerContext* context,
                                                     const v1::DeleteDatasetRequest* request,
                                                     v1::DeleteDatasetResponse* response) {
  return rpc::ReplyFrom(import_.disk, *context, *response, [this, request] {
    return Delete(import_.store, *request);
  });
}

grpc::ServerUnaryReactor* DataService::DeleteDatasetVersion(
    grpc::CallbackServerContext* context,
    const v1::DeleteDatasetVersionRequest* request,
    v1::DeleteDatasetVersionResponse* response) {
  return rpc::ReplyFrom(import_.disk, *context, *response, [this, request] {
    return DeleteVersion(import_.store, *request);
  });
}

grpc::ServerWriteReactor<v1::ReadExamplesResponse>* DataService::ReadExamples(
    grpc::CallbackServerContext* /*context*/,
    const v1::ReadExamplesRequest* request) {
  return StartReadExamples(read_, *request);
}

grpc::ServerWriteReactor<v1::ReadRowsResponse>* DataService::ReadRows(
    grpc::CallbackServerContext* /*context*/,
    const v1::ReadRowsRequest* request) {
  return StartReadRows(read_, *request);
}

}  // namespace millrace::data
