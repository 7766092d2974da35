#include "common/rpc/call_observer.h"

#include <utility>

#include <google/protobuf/message.h>

#include "common/rpc/method_name.h"

namespace millrace::rpc {

namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// One call, from its metadata to its end.
class CallInterceptor final : public grpc::experimental::Interceptor {
 public:
  CallInterceptor(CallMetrics& metrics,
                  const grpc::CallbackServerContext& context,
                  bool messages_are_bytes)
      : meter_(metrics, grpc::StatusCode::CANCELLED),
        context_(context),
        messages_are_bytes_(messages_are_bytes) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      meter_.Identify(context_);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() != nullptr) {
      meter_.Received(BytesOf(methods->GetRecvMessage()));
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      // Serializes the message now instead of a moment later, and not a second time.
      const grpc::ByteBuffer* const message = methods->GetSerializedSendMessage();
      meter_.Sent(message == nullptr ? 0 : message->Length());
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      meter_.EndsWith(methods->GetSendStatus().error_code(), context_);
    }
    methods->Proceed();
  }

 private:
  // What gRPC hands to interceptors is the handler's own message.
  [[nodiscard]] std::size_t BytesOf(const void* message) const {
    return messages_are_bytes_
               ? static_cast<const grpc::ByteBuffer*>(message)->Length()
               : static_cast<const google::protobuf::Message*>(message)->ByteSizeLong();
  }

  CallMeter meter_;
  const grpc::CallbackServerContext& context_;
  const bool messages_are_bytes_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(CallObserver& observer) : observer_(observer) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    const std::string_view path = info->method();
    CallMetrics* const metrics = observer_.Find(MethodOf(path));
    if (metrics == nullptr) {
      return nullptr;
    }
    // No service here has methods of another kind than callbacks.
    return new CallInterceptor(
        *metrics,
        static_cast<const grpc::CallbackServerContext&>(*info->server_context()),
        /*messages_are_bytes=*/path.starts_with("/grpc.health."));  // gRPC's own service
  }

 private:
  CallObserver& observer_;
};

}  // namespace

CallObserver::CallObserver(prometheus::Registry& registry,
                           const std::vector<std::string>* const& services,
                           Permissions permissions,
                           std::set<std::string, std::less<>> passed_over)
    : registry_(registry),
      services_(services),
      permissions_(std::move(permissions)),
      passed_over_(std::move(passed_over)) {}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallObserver::Creator() {
  return std::make_unique<Factory>(*this);
}

CallMetrics* CallObserver::Find(std::string_view method) {
  if (passed_over_.contains(method)) {
    return nullptr;
  }
  const std::lock_guard lock(mutex_);
  auto found = methods_.find(method);
  if (found == methods_.end()) {
    if (!IsMethod(*services_, method)) {
      return nullptr;  // a name that a caller made up
    }
    const std::string name(method);
    found =
        methods_
            .emplace(name,
                     std::make_unique<CallMetrics>(registry_, name, Changes(permissions_, method)))
            .first;
  }
  return found->second.get();
}

}  // namespace millrace::rpc
