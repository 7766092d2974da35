// Reply: the one way to end a unary call, so that no handler can forget to.

#pragma once

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "common/status/grpc_status.h"

namespace millrace::rpc {

/// Ends a unary call now.
inline grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext& context,
                                       const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

/// Ends a unary call with a message, or with the error.
template <typename Message>
grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext& context,
                                absl::StatusOr<Message> result,
                                Message& response) {
  if (result.ok()) {
    response = *std::move(result);
  }
  return Reply(context, result.status());
}

}  // namespace millrace::rpc
