// Reply: the one way to end a unary call, so that no handler can forget to.

#pragma once

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "common/rpc/caught.h"
#include "common/rpc/pool.h"
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
  const absl::Status status = result.status();
  if (result.ok()) {
    response = *std::move(result);
  }
  return Reply(context, status);
}

/// Ends a unary call from `pool` with what `work` gives, an absl::StatusOr<Message>, or throws (see
/// caught.h), or at once with the pool's refusal. `response` and what `work` refers to must outlive
/// the call.
template <typename Message, typename Work>
grpc::ServerUnaryReactor* ReplyFrom(Pool& pool,
                                    grpc::CallbackServerContext& context,
                                    Message& response,
                                    Work work) {
  // Asked for once: gRPC makes a new reactor at every call of DefaultReactor().
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  const absl::Status refused = pool.Submit([reactor, &response, work = std::move(work)] {
    reactor->Finish(ToGrpcStatus(Caught([&response, &work]() -> absl::Status {
      absl::StatusOr<Message> result = work();
      absl::Status status = result.status();
      if (status.ok()) {
        response = *std::move(result);
      }
      return status;
    })));
  });
  if (!refused.ok()) {
    reactor->Finish(ToGrpcStatus(refused));
  }
  return reactor;
}

}  // namespace millrace::rpc
