// The gRPC adapter of the training service: messages in, runs inside, messages out.

#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/serving/v1/serving_service.grpc.pb.h"
#include "millrace/training/v1/training_service.grpc.pb.h"

#include "common/rpc/access.h"
#include "common/rpc/pool.h"
#include "services/training/runs/run_executor.h"
#include "services/training/runs/run_store.h"
#include "services/training/train/spec.h"

namespace millrace::training {

/// What the handlers work with; all outlive the service.
struct ServiceParts {
  RunStore& store;
  RunExecutor& executor;
  data::v1::DataService::StubInterface& data_service;
  serving::v1::ServingService::StubInterface& serving_service;
  rpc::Pool& pool;

  // Longest time for the data service's answer to CreateRun's question.
  std::chrono::milliseconds data_timeout{5'000};

  // Longest time for the serving service's: CreateRun goes on without it.
  std::chrono::milliseconds serving_timeout{2'000};

  SpecLimits spec_limits = {};
  std::int64_t parameters_max = std::numeric_limits<std::int32_t>::max();

  // Bytes of memory that a run may take.
  std::int64_t run_bytes_max = std::numeric_limits<std::int64_t>::max();
};

/// Translates and delegates; the catalog is asked in the pool, never inside a reactor.
class TrainingService final : public v1::TrainingService::CallbackService {
 public:
  explicit TrainingService(const ServiceParts& parts) : parts_(parts) {}

  static rpc::Permissions Permissions() {
    return rpc::DeclaredPermissions({v1::TrainingService::service_full_name()});
  }

  grpc::ServerUnaryReactor* CreateRun(grpc::CallbackServerContext* context,
                                      const v1::CreateRunRequest* request,
                                      v1::Run* response) override;

  grpc::ServerUnaryReactor* GetRun(grpc::CallbackServerContext* context,
                                   const v1::GetRunRequest* request,
                                   v1::Run* response) override;

  grpc::ServerUnaryReactor* ListRuns(grpc::CallbackServerContext* context,
                                     const v1::ListRunsRequest* request,
                                     v1::ListRunsResponse* response) override;

  grpc::ServerWriteReactor<v1::RunEvent>* WatchRun(grpc::CallbackServerContext* context,
                                                   const v1::WatchRunRequest* request) override;

  grpc::ServerUnaryReactor* CancelRun(grpc::CallbackServerContext* context,
                                      const v1::CancelRunRequest* request,
                                      v1::Run* response) override;

  grpc::ServerUnaryReactor* PublishRun(grpc::CallbackServerContext* context,
                                       const v1::PublishRunRequest* request,
                                       v1::Run* response) override;

  grpc::ServerUnaryReactor* DeleteRun(grpc::CallbackServerContext* context,
                                      const v1::DeleteRunRequest* request,
                                      v1::DeleteRunResponse* response) override;

 private:
  const ServiceParts parts_;
};

}  // namespace millrace::training
