// Compute: where a prediction runs.

#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include <absl/status/status.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/grpcpp.h>

#include "common/rpc/call_metrics.h"
#include "common/rpc/caught.h"
#include "common/rpc/pool.h"
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

/// A call that predicts, and what is counted of it: the two live equally long.
struct MeteredCall {
  grpc::CallbackServerContext& context;
  rpc::CallMeter& meter;

  /// Ends it by `reactor`, the call's own.
  void End(grpc::ServerUnaryReactor& reactor, const absl::Status& status) const {
    const grpc::Status told = ToGrpcStatus(status);
    meter.EndsWith(told.error_code(), context);  // first: afterwards it may be gone
    reactor.Finish(told);
  }

  /// Ends it now.
  [[nodiscard]] grpc::ServerUnaryReactor* Reply(const absl::Status& status) const {
    grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
    End(*reactor, status);
    return reactor;
  }
};

/// A unary call in a ComputePool, with the work that answers it: an absl::Status(). A caller who
/// cancels, or whose deadline passes, gives the place in the queue back at once. Deletes itself
/// when the call is done.
template <typename Work>
class ComputeCall final : public grpc::ServerUnaryReactor, public ComputeWork {
 public:
  ComputeCall(const MeteredCall& call, ComputePool& pool, Work work)
      : call_(call),
        pool_(pool),
        work_(std::move(work)) {}

  /// Waits for a thread, or ends the call.
  void Begin(const ComputeDemand& demand) {
    const auto admit = [this, &demand] { return pool_.Admit(*this, demand); };
    if (const absl::Status refused = rpc::Caught(admit); !refused.ok()) {
      End(refused);
    }
  }

  absl::Status Run() override {
    RETURN_IF_ERROR(CheckWanted(call_.context));
    return rpc::Caught(work_);
  }

  void End(const absl::Status& status) override { call_.End(*this, status); }

  // gRPC calls this before OnDone(), never after.
  void OnCancel() override {
    if (pool_.Remove(*this)) {
      const absl::Status reason = CheckWanted(call_.context);
      End(reason.ok() ? Cancelled("the caller cancelled before the work began") : reason);
    }
  }

  void OnDone() override { delete this; }

 private:
  const MeteredCall call_;
  ComputePool& pool_;
  Work work_;
};

/// Ends a call with what `work` returns, an absl::Status: at once when it is estimated to be
/// short, whatever waits in the pool, else from the pool; RESOURCE_EXHAUSTED when that takes no
/// more. `work` keeps what it needs; it is not called when nobody waits any more.
template <typename Work>
grpc::ServerUnaryReactor* Compute(const MeteredCall& call,
                                  ComputePool& pool,
                                  const google::protobuf::MessageLite& request,
                                  double microseconds,
                                  Work work) {
  if (microseconds < kInReactorMicrosecondsMax) {
    const absl::Status wanted = CheckWanted(call.context);
    return call.Reply(wanted.ok() ? rpc::Caught(work) : wanted);
  }
  auto* const waiting = new ComputeCall<Work>(call, pool, std::move(work));  // deletes itself
  waiting->Begin({.microseconds = microseconds,
                  .bytes = static_cast<std::int64_t>(request.ByteSizeLong()),
                  .deadline = call.context.deadline()});
  return waiting;
}

/// Ends a call for a version that is cold from the threads of `disk`: loads it by `load`, an
/// absl::StatusOr of a pointer to it, and then ends the call with what `work` returns of it, an
/// absl::Status.
template <typename Load, typename Work>
grpc::ServerUnaryReactor* LoadAndCompute(const MeteredCall& call,
                                         rpc::Pool& disk,
                                         Load load,
                                         Work work) {
  grpc::ServerUnaryReactor* const reactor = call.context.DefaultReactor();
  auto answer = [call, load = std::move(load), work = std::move(work)]() -> absl::Status {
    RETURN_IF_ERROR(CheckWanted(call.context));
    ASSIGN_OR_RETURN(const auto version, load());
    return work(version);
  };
  const absl::Status refused = disk.Submit(
      [call, reactor, answer = std::move(answer)] { call.End(*reactor, rpc::Caught(answer)); });
  if (!refused.ok()) {
    call.End(*reactor, refused);
  }
  return reactor;
}

}  // namespace millrace::serving
