#include "common/rpc/call_observer.h"

#include <atomic>
#include <utility>

#include <fmt/format.h>
#include <prometheus/family.h>

#include "common/rpc/request_id.h"
#include "common/telemetry/log.h"
#include "common/telemetry/rate_limit.h"

namespace millrace::rpc {

namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

constexpr std::size_t kCodes = 17;
constexpr int kFailuresPerSecond = 10;

// From what a small prediction takes to what an import takes.
const prometheus::Histogram::BucketBoundaries& Seconds() {
  static const prometheus::Histogram::BucketBoundaries bounds = {0.00005,
                                                                 0.0001,
                                                                 0.00025,
                                                                 0.0005,
                                                                 0.001,
                                                                 0.0025,
                                                                 0.005,
                                                                 0.01,
                                                                 0.025,
                                                                 0.05,
                                                                 0.1,
                                                                 0.25,
                                                                 0.5,
                                                                 1,
                                                                 2.5,
                                                                 5,
                                                                 10,
                                                                 60,
                                                                 600};
  return bounds;
}

constexpr std::array<std::string_view, kCodes> kCodeNames = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

std::size_t IndexOf(grpc::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodes ? index : static_cast<std::size_t>(grpc::StatusCode::UNKNOWN);
}

}  // namespace

// What is kept of one method. The counter of a code is made when the first call ends with it.
class CallObserver::Method {
 public:
  std::string name;
  bool changes = false;
  prometheus::Histogram* seconds = nullptr;
  prometheus::Gauge* in_flight = nullptr;
  prometheus::Counter* sent = nullptr;
  std::array<std::atomic<prometheus::Counter*>, kCodes> counters{};
};

namespace {

// One call, from its metadata to its end.
class CallInterceptor final : public grpc::experimental::Interceptor {
 public:
  CallInterceptor(CallObserver& observer,
                  CallObserver::Method& method,
                  const grpc::CallbackServerContext& context)
      : observer_(observer),
        method_(method),
        context_(context) {
    method_.in_flight->Increment();
  }

  ~CallInterceptor() override {
    method_.in_flight->Decrement();
    method_.sent->Increment(static_cast<double>(sent_bytes_));
    observer_.Ended(method_, code_, std::chrono::steady_clock::now() - begin_, request_id_);
  }

  CallInterceptor(const CallInterceptor&) = delete;
  CallInterceptor& operator=(const CallInterceptor&) = delete;

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA) &&
        (method_.changes || log::DebugIsOn())) {
      request_id_ = RequestId(context_);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      // Serializes the message now instead of a moment later, and not a second time.
      const grpc::ByteBuffer* const message = methods->GetSerializedSendMessage();
      sent_bytes_ += message == nullptr ? 0 : message->Length();
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      code_ = methods->GetSendStatus().error_code();
      // gRPC makes a map of the metadata when it is first asked for: a call that leaves no line
      // does without.
      if (code_ != grpc::StatusCode::OK && request_id_.empty()) {
        request_id_ = RequestId(context_);
      }
    }
    methods->Proceed();
  }

 private:
  CallObserver& observer_;
  CallObserver::Method& method_;
  const grpc::CallbackServerContext& context_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  grpc::StatusCode code_ = grpc::StatusCode::CANCELLED;  // until a status is sent
  std::size_t sent_bytes_ = 0;
  std::string request_id_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(CallObserver& observer) : observer_(observer) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    const std::string_view path = info->method();
    return new CallInterceptor(
        observer_,
        observer_.Find(path.substr(path.starts_with('/') ? 1 : 0)),
        // No service here has methods of another kind than callbacks.
        static_cast<const grpc::CallbackServerContext&>(*info->server_context()));
  }

 private:
  CallObserver& observer_;
};

}  // namespace

CallObserver::CallObserver(prometheus::Registry& registry, Permissions permissions)
    : permissions_(std::move(permissions)),
      calls_(prometheus::BuildCounter()
                 .Name("millrace_calls_total")
                 .Help("Calls that ended, by method and code.")
                 .Register(registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("millrace_call_seconds")
                   .Help("Seconds from a call's arrival to its end.")
                   .Register(registry)),
      in_flight_(prometheus::BuildGauge()
                     .Name("millrace_calls_in_flight")
                     .Help("Calls that have arrived and not ended.")
                     .Register(registry)),
      sent_(prometheus::BuildCounter()
                .Name("millrace_sent_bytes_total")
                .Help("Bytes of the messages that were sent in answer to calls.")
                .Register(registry)) {}

CallObserver::~CallObserver() = default;

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallObserver::Creator() {
  return std::make_unique<Factory>(*this);
}

CallObserver::Method& CallObserver::Find(std::string_view method) {
  const std::lock_guard lock(mutex_);
  const auto found = methods_.find(method);
  if (found != methods_.end()) {
    return *found->second;
  }
  auto made = std::make_unique<Method>();
  made->name = method;
  const auto permission = permissions_.find(method);
  made->changes =
      permission != permissions_.end() && permission->second > security::Permission::kReader;
  made->seconds = &seconds_.Add({{"method", made->name}}, Seconds());
  made->in_flight = &in_flight_.Add({{"method", made->name}});
  made->sent = &sent_.Add({{"method", made->name}});
  return *methods_.emplace(made->name, std::move(made)).first->second;
}

void CallObserver::Ended(Method& method,
                         grpc::StatusCode code,
                         std::chrono::steady_clock::duration duration,
                         const std::string& request_id) {
  const std::size_t index = IndexOf(code);
  const std::string_view code_name = kCodeNames.at(index);
  prometheus::Counter* counter = method.counters.at(index).load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Two calls may come here at once: Add() gives both the same counter.
    counter = &calls_.Add({{"method", method.name}, {"code", std::string(code_name)}});
    method.counters.at(index).store(counter, std::memory_order_release);
  }
  counter->Increment();
  const std::chrono::duration<double> seconds = duration;
  method.seconds->Observe(seconds.count());

  static log::RateLimit failures(kFailuresPerSecond);
  const bool failed = code != grpc::StatusCode::OK;
  const bool told =
      method.changes || (failed && failures.Ask(std::chrono::steady_clock::now()).admitted);
  if (told || log::DebugIsOn()) {
    (told ? log::Info : log::Debug)("call",
                                    {{"method", method.name},
                                     {"code", std::string(code_name)},
                                     {"milliseconds", fmt::format("{:.3f}", seconds.count() * 1e3)},
                                     {"request_id", request_id}});
  }
}

}  // namespace millrace::rpc
