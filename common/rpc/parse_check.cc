#include "common/rpc/parse_check.h"

#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include "common/rpc/method_name.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::rpc {

namespace {

using google::protobuf::Message;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// A field that no message has. It stands in the message that a stream reads into: at the end of the
// stream it is still there, and after bytes that could not be parsed it is not.
constexpr int kMark = (1 << 29) - 1;

void Mark(Message& message) {
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(kMark, 0);
}

// Whether it was there.
bool Unmark(Message& message) {
  google::protobuf::UnknownFieldSet& fields =
      *message.GetReflection()->MutableUnknownFields(&message);
  const int before = fields.field_count();
  fields.DeleteByNumber(kMark);
  return fields.field_count() < before;
}

// One call.
class ParseInterceptor final : public grpc::experimental::Interceptor {
 public:
  ParseInterceptor(std::string_view method, bool reads_a_stream)
      : method_(method),
        reads_a_stream_(reads_a_stream) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CANCEL)) {
      return;  // gRPC ends the process when more is asked of these
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE)) {
      Message* const read = std::exchange(reading_, nullptr);
      const bool nothing = methods->GetRecvMessage() == nullptr;
      const bool ended = read != nullptr && nothing && Unmark(*read);
      unparsed_ = unparsed_ || (nothing && !ended && (!reads_a_stream_ || read != nullptr));
    } else if (reads_a_stream_ && methods->GetRecvMessage() != nullptr) {  // before it is read
      reading_ = static_cast<Message*>(methods->GetRecvMessage());
      Mark(*reading_);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const grpc::Status status = methods->GetSendStatus();
      if (unparsed_ && !status.ok()) {
        methods->ModifySendStatus(ToGrpcStatus(CannotBeParsed(RequestOf(method_))));
      } else if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED &&
                 status.error_message().empty()) {
        methods->ModifySendStatus(ToGrpcStatus(absl::UnimplementedError(
            "the service has no answer to this call: it does not know it, or failed at it")));
      }
    }
    methods->Proceed();
  }

 private:
  const std::string method_;
  const bool reads_a_stream_;
  Message* reading_ = nullptr;  // the handler's; while a stream reads into it
  bool unparsed_ = false;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(std::set<std::string, std::less<>> passed_over)
      : passed_over_(std::move(passed_over)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    using Type = grpc::experimental::ServerRpcInfo::Type;
    const std::string_view method = MethodOf(info->method());
    if (passed_over_.contains(method) || method.starts_with("grpc.") || RequestOf(method).empty()) {
      return nullptr;
    }
    return new ParseInterceptor(
        method, info->type() == Type::CLIENT_STREAMING || info->type() == Type::BIDI_STREAMING);
  }

 private:
  const std::set<std::string, std::less<>> passed_over_;
};

}  // namespace

absl::Status CannotBeParsed(std::string_view message) {
  return WithFix(InvalidArgument("the request cannot be parsed as {}", message),
                 "send this message, made from the .proto files of the service's release");
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ParseCheckCreator(
    std::set<std::string, std::less<>> passed_over) {
  return std::make_unique<Factory>(std::move(passed_over));
}

}  // namespace millrace::rpc
