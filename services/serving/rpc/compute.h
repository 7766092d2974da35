// Compute: where a prediction runs.

#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include <absl/status/status.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/grpcpp.h>

#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "services/serving/rpc/compute_pool.h"

namespace millrace::serving {

/// Work below this is done where the call arrives: a hop to another thread would cost more.
constexpr double kInReactorMicrosecondsMax = 50;

/// OK while somebody waits for the answer.
inline absl::Status CheckWanted(const grpc::CallbackServerContext& context) {
  if (context.deadline() < std::chrono::system_clock::now()) {
    return absl::DeadlineExceededError("the deadline passed before the work began");
  }
  if (context.IsCancelled()) {
    return Cancelled("the caller cancelled before the work began");
  }
  return absl::OkStatus();
}

/// A unary call in a ComputePool, with the work that answers it: an absl::Status(). A caller who
/// cancels, or whose deadline passes, gives the place in the queue back at once. Deletes itself
/// when the call is done.
template <typename Work>
class ComputeCall final : public grpc::ServerUnaryReactor, public ComputeWork {
 public:
  ComputeCall(grpc::CallbackServerContext& context, ComputePool& pool, Work work)
      : context_(context),
        pool_(pool),
        work_(std::move(work)) {}

  /// Waits for a thread, or ends the call.
  void Begin(const ComputeDemand& demand) {
    if (const absl::Status refused = pool_.Admit(*this, demand); !refused.ok()) {
      End(refused);
    }
  }

  absl::Status Run() override {
    RETURN_IF_ERROR(CheckWanted(context_));
    return work_();
  }

  void End(const absl::Status& status) override { Finish(ToGrpcStatus(status)); }

  // gRPC calls this before OnDone(), never after.
  void OnCancel() override {
    if (pool_.Remove(*this)) {
      const absl::Status reason = CheckWanted(context_);
      End(reason.ok() ? Cancelled("the caller cancelled before the work began") : reason);
    }
  }

  void OnDone() override { delete this; }

 private:
  grpc::CallbackServerContext& context_;
  ComputePool& pool_;
  Work work_;
};

/// Ends a unary call with what `work` returns, an absl::Status: at once when it is estimated to be
/// short, whatever waits in the pool, else from the pool; RESOURCE_EXHAUSTED when that takes no
/// more. `work` keeps what it needs; it is not called when nobody waits any more.
template <typename Work>
grpc::ServerUnaryReactor* Compute(grpc::CallbackServerContext& context,
                                  ComputePool& pool,
                                  const google::protobuf::MessageLite& request,
                                  double microseconds,
                                  Work work) {
  if (microseconds < kInReactorMicrosecondsMax) {
    grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
    absl::Status status = CheckWanted(context);
    if (status.ok()) {
      status = work();
    }
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  }
  auto* const call = new ComputeCall<Work>(context, pool, std::move(work));  // deletes itself
  call->Begin({.microseconds = microseconds,
               .bytes = static_cast<std::int64_t>(request.ByteSizeLong()),
               .deadline = context.deadline()});
  return call;
}

}  // namespace millrace::serving
