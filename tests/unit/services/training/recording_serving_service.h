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

  /// What CheckModel answers, and how often it is asked before that is OK again.
  void RefuseToCheck(const grpc::Status& refusal, int times) {
    const std::lock_guard lock(mutex_);
    check_refusals_.assign(static_cast<std::size_t>(times), refusal);
  }

  /// Of the last question whether a model would be taken.
  serving::v1::UploadHeader checked() {
    const std::lock_guard lock(mutex_);
    return checked_;
  }

  /// Of the last upload.
  serving::v1::UploadHeader header() {
    const std::lock_guard lock(mutex_);
    return header_;
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

  grpc::Status CheckModel(grpc::ServerContext* /*context*/,
                          const serving::v1::CheckModelRequest* request,
                          serving::v1::CheckModelResponse* /*response*/) override {
    const std::lock_guard lock(mutex_);
    checked_ = request->header();
    if (check_refusals_.empty()) {
      return grpc::Status::OK;
    }
    grpc::Status refusal = check_refusals_.back();
    check_refusals_.pop_back();
    return refusal;
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
    serving::v1::UploadHeader header;
    absl::Status taken;
    while (taken.ok() && reader->Read(&request)) {
      if (request.has_header()) {
        header = request.header();
      } else if (request.has_chunk()) {
        taken = receiver.Take(request.chunk());
      } else if (request.has_close()) {
        taken = receiver.Finish(request.close()).status();
      }
    }
    grpc::Status status = Keep(*context, taken, header, bytes, *response);
    if (status.ok() && before_answer) {
      before_answer(upload_count(), *context);
    }
    return status;
  }

 private:
  grpc::Status Keep(const grpc::ServerContext& context,
                    const absl::Status& taken,
                    const serving::v1::UploadHeader& header,
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
    header_ = header;
    const auto known = std::find(bundles_.begin(), bundles_.end(), bytes);
    const auto number = known - bundles_.begin() + 1;
    if (known == bundles_.end()) {
      bundles_.push_back(bytes);
    }
    response.set_name(header.model() + "/versions/" + std::to_string(number));
    return grpc::Status::OK;
  }

  std::mutex mutex_;
  std::vector<grpc::Status> refusals_;        // guarded by mutex_
  std::vector<std::string> bundles_;          // guarded by mutex_
  std::vector<grpc::Status> check_refusals_;  // guarded by mutex_
  serving::v1::UploadHeader checked_;         // guarded by mutex_
  serving::v1::UploadHeader header_;          // guarded by mutex_
  std::string request_id_;                    // guarded by mutex_
  int upload_count_ = 0;                      // guarded by mutex_
};

}  // namespace millrace::training
