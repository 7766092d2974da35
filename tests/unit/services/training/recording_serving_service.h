// RecordingServingService: a serving service that keeps the bundles it is sent, and can refuse
// them.

#pragma once

#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "common/status/grpc_status.h"
#include "common/transfer/transfer.h"

namespace millrace::training {

/// Checks an upload by the transfer protocol and answers with version 1, 2 and on. Synchronous,
/// which is enough for a test.
class RecordingServingService final : public serving::v1::ServingService::Service {
 public:
  /// The next uploads are answered with these, in order, after they were read.
  void RefuseNext(std::vector<grpc::Status> refusals) {
    const std::lock_guard lock(mutex_);
    refusals_ = std::move(refusals);
  }

  std::vector<std::string> bundles() {
    const std::lock_guard lock(mutex_);
    return bundles_;
  }

  int upload_count() {
    const std::lock_guard lock(mutex_);
    return upload_count_;
  }

  std::string model() {
    const std::lock_guard lock(mutex_);
    return model_;
  }

  grpc::Status UploadModel(grpc::ServerContext* /*context*/,
                           grpc::ServerReader<serving::v1::UploadModelRequest>* reader,
                           serving::v1::ModelVersion* response) override {
    std::string bytes;
    transfer::Receiver receiver(std::int64_t{1} << 30, [&](std::string_view part) {
      bytes += part;
      return absl::OkStatus();
    });
    serving::v1::UploadModelRequest request;
    std::string model;
    absl::Status taken;
    while (taken.ok() && reader->Read(&request)) {
      if (request.has_header()) {
        model = request.header().model();
      } else if (request.has_chunk()) {
        taken = receiver.Take(request.chunk());
      } else if (request.has_close()) {
        taken = receiver.Finish(request.close()).status();
      }
    }
    const std::lock_guard lock(mutex_);
    ++upload_count_;
    if (!refusals_.empty()) {
      const grpc::Status refusal = refusals_.front();
      refusals_.erase(refusals_.begin());
      return refusal;
    }
    if (!taken.ok()) {
      return ToGrpcStatus(taken);
    }
    model_ = model;
    bundles_.push_back(bytes);
    response->set_name(model + "/versions/" + std::to_string(bundles_.size()));
    return grpc::Status::OK;
  }

 private:
  std::mutex mutex_;
  std::vector<grpc::Status> refusals_;  // guarded by mutex_
  std::vector<std::string> bundles_;    // guarded by mutex_
  std::string model_;                   // guarded by mutex_
  int upload_count_ = 0;                // guarded by mutex_
};

}  // namespace millrace::training
