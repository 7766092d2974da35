// EchoService: a service for the tests of this folder.

#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <utility>

#include <absl/status/status.h>

#include "common/rpc/reply.h"
#include "inference/open_inference_grpc.grpc.pb.h"

namespace millrace::rpc {

/// ServerLive answers with `status`; ModelInfer answers with the request's id; ModelReady ends only
/// when it is cancelled.
class EchoService final : public inference::GRPCInferenceService::CallbackService {
 public:
  absl::Status status = absl::OkStatus();
  std::promise<void> waiting;  // kept by ModelReady when it has begun

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* /*request*/,
                                       inference::ServerLiveResponse* /*response*/) override {
    return Reply(*context, status);
  }

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    inference::ModelInferResponse answer;
    answer.set_id(request->id());
    return Reply(*context, absl::StatusOr<inference::ModelInferResponse>(answer), *response);
  }

  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* /*context*/,
                                       const inference::ModelReadyRequest* /*request*/,
                                       inference::ModelReadyResponse* /*response*/) override {
    class Waiter final : public grpc::ServerUnaryReactor {
     public:
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }

      void OnDone() override { delete this; }
    };

    auto* const waiter = new Waiter;  // deletes itself
    waiting.set_value();
    return waiter;
  }
};

}  // namespace millrace::rpc
