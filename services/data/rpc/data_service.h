// The gRPC adapter of the data service: messages in, domain types inside, messages out.

#pragma once

#include <chrono>
#include <cstdint>

#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"

#include "common/memory/quiet_timer.h"
#include "common/rpc/access.h"
#include "common/rpc/pool.h"
#include "services/data/read/examples_cache.h"
#include "services/data/read/read_budget.h"
#include "services/data/rpc/import_call.h"
#include "services/data/rpc/read_call.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {

/// Of ReadRows and ReadExamples.
struct ReadLimits {
  ExamplesCacheLimits cache = {};
  std::int64_t bytes_max = std::int64_t{256} << 20;  // of all open readers and what is cached
  std::chrono::milliseconds quiet = std::chrono::seconds(10);  // then memory is given back
};

/// Translates and delegates; decides nothing. Everything that touches the disk runs on a pool. Does
/// not own what `parts` refers to, which must outlive it; so must the service its server.
class DataService final : public v1::DataService::CallbackService {
 public:
  explicit DataService(ImportParts parts, ReadLimits limits = {});

  static rpc::Permissions Permissions() {
    return rpc::DeclaredPermissions({v1::DataService::service_full_name()});
  }

  grpc::ServerReadReactor<v1::ImportDatasetRequest>* ImportDataset(
      grpc::CallbackServerContext* context,
      v1::DatasetVersion* response) override;

  grpc::ServerUnaryReactor* GetUpload(grpc::CallbackServerContext* context,
                                      const transfer::v1::GetUploadRequest* request,
                                      transfer::v1::Upload* response) override;

  grpc::ServerUnaryReactor* ListUploads(grpc::CallbackServerContext* context,
                                        const transfer::v1::ListUploadsRequest* request,
                                        transfer::v1::ListUploadsResponse* response) override;

  grpc::ServerUnaryReactor* DeleteUpload(grpc::CallbackServerContext* context,
                                         const transfer::v1::DeleteUploadRequest* request,
                                         transfer::v1::DeleteUploadResponse* response) override;

  grpc::ServerUnaryReactor* GetDataset(grpc::CallbackServerContext* context,
                                       const v1::GetDatasetRequest* request,
                                       v1::DatasetVersion* response) override;

  grpc::ServerUnaryReactor* ListDatasets(grpc::CallbackServerContext* context,
                                         const v1::ListDatasetsRequest* request,
                                         v1::ListDatasetsResponse* response) override;

  grpc::ServerUnaryReactor* GetStatistics(grpc::CallbackServerContext* context,
                                          const v1::GetStatisticsRequest* request,
                                          v1::GetStatisticsResponse* response) override;

  grpc::ServerUnaryReactor* DeleteDataset(grpc::CallbackServerContext* context,
                                          const v1::DeleteDatasetRequest* request,
                                          v1::DeleteDatasetResponse* response) override;
  grpc::ServerUnaryReactor* DeleteDatasetVersion(
      grpc::CallbackServerContext* context,
      const v1::DeleteDatasetVersionRequest* request,
      v1::DeleteDatasetVersionResponse* response) override;

  grpc::ServerWriteReactor<v1::ReadExamplesResponse>* ReadExamples(
      grpc::CallbackServerContext* context,
      const v1::ReadExamplesRequest* request) override;

  grpc::ServerWriteReactor<v1::ReadRowsResponse>* ReadRows(
      grpc::CallbackServerContext* context,
      const v1::ReadRowsRequest* request) override;

 private:
  const ImportParts import_;
  ReadBudget budget_;
  ExamplesCache cache_;
  QuietTimer quiet_;
  rpc::Pool readers_;
  const ReadParts read_;
};

}  // namespace millrace::data
