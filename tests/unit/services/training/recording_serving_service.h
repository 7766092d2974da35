// RecordingServingService: a serving service that keeps the bundles it is sent, and can refuse
// them.

#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "common/status/grpc_status.h"
#include "common/transfer/transfer.h"

namespace millrace::training {

/// Checks an upload by the transfer protocol and answers with version 1, 2 and on; the same bytes
/// again are the version that they were, as in the real one. Synchronous, which is enough for a
/// test.
class RecordingServingService final : public serving::v1::ServingService::Service {
 public:
  /// The next uploads are answered with these, in order, after they were read.
  void RefuseNext(std::vector<grpc::Status> refusals) {
    const std::lock_guard lock(mutex_);
    refusals_ = std::move(refusals);
  }

  /// Called when a bundle has become a version and nobody knows it yet, with how many uploads came.
  std::function<void(int upload_count, grpc::ServerContext&)> before_answer;

  /// Of the last upload.
  std::string request_id() {
    const std::lock_guard lock(mutex_);
    return request_id_;
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

  grpc::Status UploadModel(grpc::ServerContext* context,
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
    grpc::Status status = Keep(*context, taken, model, bytes, *response);
    if (status.ok() && before_answer) {
      before_answer(upload_count(), *context);
    }
    return status;
  }

 private:
  grpc::Status Keep(const grpc::ServerContext& context,
                    const absl::Status& taken,
                    const std::string& model,
                    const std::string& bytes,
                    serving::v1::ModelVersion& response) {
    const std::lock_guard lock(mutex_);
    ++upload_count_;
    const auto id = context.client_metadata().find("x-request-id");
    request_id_ = id == context.client_metadata().end()
                      ? ""
                      : std::string(id->second.data(), id->second.size());
    if (!refusals_.empty()) {
      grpc::Status refusal = refusals_.front();
      refusals_.erase(refusals_.begin());
      return refusal;
    }
    if (!taken.ok()) {
      return ToGrpcStatus(taken);
    }
    model_ = model;
    const auto known = std::find(bundles_.begin(), bundles_.end(), bytes);
    const auto number = known - bundles_.begin() + 1;
    if (known == bundles_.end()) {
      bundles_.push_back(bytes);
    }
    response.set_name(model + "/versions/" + std::to_string(number));
    return grpc::Status::OK;
  }

  std::mutex mutex_;
  std::vector<grpc::Status> refusals_;  // guarded by mutex_
  std::vector<std::string> bundles_;    // guarded by mutex_
  std::string model_;                   // guarded by mutex_
  std::string request_id_;              // guarded by mutex_
  int upload_count_ = 0;                // guarded by mutex_
};

}  // namespace millrace::training
