#include "common/rpc/call_audit.h"

#include <utility>

#include <google/protobuf/descriptor.h>

#include "common/rpc/method_name.h"
#include "common/rpc/request_id.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::rpc {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// A line takes as long as a sync; who changes things this fast is told to wait.
constexpr std::size_t kWaitingMax = 4'096;

// What gRPC hands to interceptors is the handler's own message, as the address of its first byte.
const Message* MessageAt(const void* address) {
  return static_cast<const Message*>(address);
}

// Never the message, which may hold what a user sent: the log is kept for ever.
std::string OutcomeOf(const grpc::Status& status) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code()));
}

// One call that is to change something.
class AuditInterceptor final : public grpc::experimental::Interceptor {
 public:
  AuditInterceptor(CallAudit& audit, grpc::experimental::ServerRpcInfo& info)
      : audit_(audit),
        // Every service here is a callback service, and so its calls have this context.
        context_(static_cast<const grpc::CallbackServerContext&>(*info.server_context())) {
    change_.method = MethodOf(info.method());
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      change_.caller = Caller(context_);  // now: the access list may forget who began this
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() != nullptr && change_.resource.empty()) {
      change_.resource = ResourceOf(*MessageAt(methods->GetRecvMessage()));
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE) &&
        methods->GetSendMessage() != nullptr) {
      const std::string made = ResourceOf(*MessageAt(methods->GetSendMessage()));
      change_.resource = made.empty() ? change_.resource : made;
    }
    if (!methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      methods->Proceed();
      return;
    }
    change_.request_id = RequestId(context_);
    change_.outcome = OutcomeOf(methods->GetSendStatus());
    audit_.Append(std::move(change_), [methods](const absl::Status& written) {
      if (!written.ok()) {
        log::Error("audit_failed", {{"error", std::string(written.message())}});
        methods->ModifySendStatus(ToGrpcStatus(
            WithFix(Unavailable("the audit log cannot be written, so this may or may not be done"),
                    "look at the service's disk, then ask again")));
      }
      methods->Proceed();
    });
  }

 private:
  CallAudit& audit_;
  const grpc::CallbackServerContext& context_;
  audit::Change change_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(CallAudit& audit) : audit_(audit) {}

  // None for a method that only asks.
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return audit_.Changes(MethodOf(info->method())) ? new AuditInterceptor(audit_, *info) : nullptr;
  }

 private:
  CallAudit& audit_;
};

// The first of the fields that name something, if the message has one that is set.
std::string NameIn(const Message& message) {
  for (const char* const field_name : {"name", "model", "dataset"}) {
    const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(field_name);
    if (field != nullptr && field->type() == FieldDescriptor::TYPE_STRING &&
        !field->is_repeated()) {
      std::string name = message.GetReflection()->GetString(message, field);
      if (!name.empty()) {
        return name;
      }
    }
  }
  return {};
}

}  // namespace

CallAudit::CallAudit(audit::AuditLog& log, Permissions permissions)
    : log_(log),
      permissions_(std::move(permissions)),
      pool_(/*threads=*/1, kWaitingMax) {}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallAudit::Creator() {
  return std::make_unique<Factory>(*this);
}

bool CallAudit::Changes(std::string_view method) const {
  return rpc::Changes(permissions_, method);
}

void CallAudit::Append(audit::Change change, std::function<void(const absl::Status&)> done) {
  const auto shared = std::make_shared<std::function<void(const absl::Status&)>>(std::move(done));
  const absl::Status refused =
      pool_.Submit([this, shared, change = std::move(change)] { (*shared)(log_.Append(change)); });
  if (!refused.ok()) {
    (*shared)(refused);
  }
}

std::string ResourceOf(const Message& message) {
  std::string name = NameIn(message);
  for (const char* const field_name : {"header", "route"}) {
    const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(field_name);
    if (name.empty() && field != nullptr && field->type() == FieldDescriptor::TYPE_MESSAGE &&
        !field->is_repeated()) {
      name = NameIn(message.GetReflection()->GetMessage(message, field));
    }
  }
  return name;
}

}  // namespace millrace::rpc
