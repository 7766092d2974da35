// Compute: where a prediction runs.

#pragma once

#include <chrono>
#include <utility>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "common/rpc/pool.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::serving {

/// Work below this is done where the call arrives: a hop to another thread would cost more.
constexpr double kInReactorMicrosecondsMax = 50;

/// OK while somebody waits for the answer.
inline absl::Status CheckWanted(const grpc::CallbackServerContext& context) {
  if (context.deadline() < std::chrono::system_clock::now()) {
    return absl::DeadlineExceededError("the deadline passed before the prediction began");
  }
  if (context.IsCancelled()) {
    return Cancelled("the caller cancelled before the prediction began");
  }
  return absl::OkStatus();
}

/// Ends a unary call with what `work` returns, an absl::Status: at once when it is estimated to be
/// short and nothing waits for the pool, else from the pool; RESOURCE_EXHAUSTED when that is full.
/// `work` keeps what it needs; it is not called when nobody waits any more.
template <typename Work>
grpc::ServerUnaryReactor* Compute(grpc::CallbackServerContext& context,
                                  rpc::Pool& pool,
                                  double microseconds,
                                  Work work) {
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  auto run = [&context, reactor, work = std::move(work)] {
    absl::Status status = CheckWanted(context);
    if (status.ok()) {
      status = work();
    }
    reactor->Finish(ToGrpcStatus(status));
  };
  if (microseconds < kInReactorMicrosecondsMax && pool.load() == 0) {
    run();
    return reactor;
  }
  if (const absl::Status refused = pool.Submit(std::move(run)); !refused.ok()) {
    reactor->Finish(ToGrpcStatus(refused));
  }
  return reactor;
}

}  // namespace millrace::serving
