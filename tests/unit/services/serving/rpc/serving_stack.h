// ServingStack: the whole service inside a test, with a client of it.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/pool.h"
#include "common/rpc/server.h"
#include "common/storage/file_system.h"
#include "common/storage/sha256.h"
#include "common/transfer/idle_watch.h"
#include "common/transfer/upload_store.h"
#include "inference/open_inference_grpc.grpc.pb.h"
#include "services/serving/load/repository.h"
#include "services/serving/pipeline/served_models.h"
#include "services/serving/rpc/compute_pool.h"
#include "services/serving/rpc/inference_service.h"
#include "services/serving/rpc/serving_service.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::serving {

/// One service over one folder. Members die in the reverse order, the server first.
struct ServingStack {
  explicit ServingStack(const std::string& folder,
                        std::int64_t upload_bytes_max = 1 << 20,
                        audit::AuditLog* audit = nullptr)
      : repository(*Repository::Open(storage::PosixFileSystem(), folder, SystemClock())),
        models(*ServedModels::Open(*repository)),
        uploads(*transfer::UploadStore::Open(
            storage::PosixFileSystem(),
            folder + "/uploads",
            SystemClock(),
            {.upload_bytes_max = upload_bytes_max, .unfinished_bytes_max = 4 * upload_bytes_max})),
        serving(parts),
        inference(parts),
        server(*rpc::Server::Start(
            {.permissions =
                 rpc::Merge({ServingService::Permissions(), InferenceService::Permissions()}),
             .metrics = &metrics,
             .counted_by_handlers = {ServingService::kPredict, InferenceService::kModelInfer},
             .audit = audit},
            {&serving, &inference})),
        stub(v1::ServingService::NewStub(server->InProcessChannel())),
        oip(inference::GRPCInferenceService::NewStub(server->InProcessChannel())) {}

  prometheus::Registry metrics;
  std::unique_ptr<Repository> repository;
  std::unique_ptr<ServedModels> models;
  std::unique_ptr<transfer::UploadStore> uploads;
  transfer::IdleWatch idle{std::chrono::milliseconds(200)};
  ComputePool compute{{.threads = 2, .waiting_max = 16}};
  rpc::Pool disk{2, 64};
  ServingParts parts{.models = *models,
                     .compute = compute,
                     .disk = disk,
                     .uploads = *uploads,
                     .idle = idle,
                     .metrics = metrics};
  ServingService serving;
  InferenceService inference;
  std::unique_ptr<rpc::Server> server;
  std::unique_ptr<v1::ServingService::Stub> stub;
  std::unique_ptr<inference::GRPCInferenceService::Stub> oip;
};

/// A context with a deadline that no passing test reaches.
struct Call {
  Call() { rpc::SetDeadline(context, std::chrono::seconds(60)); }

  grpc::ClientContext context;
};

class ServingStackTest : public testing::Test {
 protected:
  std::string Add(const std::string& id, const std::string& bytes) {
    const auto version = stack_->models->Add(HeaderOf(id), bytes);
    EXPECT_TRUE(version.ok()) << version.status();
    return version->name();
  }

  TestFolder folder_;
  std::unique_ptr<ServingStack> stack_ = std::make_unique<ServingStack>(folder_.path());
};

}  // namespace millrace::serving
