#include "common/rpc/access.h"

#include <mutex>
#include <set>
#include <utility>

#include <absl/strings/match.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/async_generic_service.h>

#include "millrace/security/v1/permission.pb.h"

#include "common/rpc/method_name.h"
#include "common/rpc/request_id.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::rpc {

namespace {

using security::Permission;
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

constexpr std::string_view kScheme = "Bearer ";  // in any case: RFC 9110, 11.1
constexpr const char* kUriProperty = "peer_uri";
constexpr const char* kDnsProperty = "peer_dns";

const Permissions& OwnPermissions() {
  static const Permissions own = {
      {"grpc.health.v1.Health/Check", Permission::kAnyone},
      {"grpc.health.v1.Health/Watch", Permission::kAnyone},
      {"grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Permission::kReader},
      {"grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Permission::kReader},
  };
  return own;
}

bool IsOwn(std::string_view service) {
  return service.substr(0, 12) == "grpc.health." || service.substr(0, 16) == "grpc.reflection.";
}

std::string_view View(const grpc::string_ref& text) {
  return {text.data(), text.size()};
}

// Views into `metadata` and `connection`. Only names that TLS has verified are in a connection.
absl::StatusOr<security::Credentials> CredentialsOf(const Metadata& metadata,
                                                    const grpc::AuthContext* connection) {
  security::Credentials credentials;
  const auto [begin, end] = metadata.equal_range("authorization");
  if (begin != end) {
    const std::string_view value = View(begin->second);
    if (std::next(begin) != end || !absl::StartsWithIgnoreCase({value.data(), value.size()},
                                                               {kScheme.data(), kScheme.size()})) {
      return absl::UnauthenticatedError(
          "there must be one 'authorization' and it must be 'Bearer TOKEN'");
    }
    credentials.token = value.substr(kScheme.size());
  }
  if (connection != nullptr) {
    for (const char* const property : {kUriProperty, kDnsProperty}) {
      for (const grpc::string_ref& name : connection->FindPropertyValues(property)) {
        credentials.certificate_names.push_back(View(name));
      }
    }
  }
  return credentials;
}

// A call's context that remembers who made it.
class NamedContext final : public grpc::CallbackServerContext {
 public:
  explicit NamedContext(const security::AccessFile& access) : access_(access) {}

  const std::string& Caller() const {
    std::call_once(asked_, [this] {
      const std::shared_ptr<const grpc::AuthContext> connection = auth_context();
      const auto credentials = CredentialsOf(client_metadata(), connection.get());
      const absl::StatusOr<security::Caller> caller =
          credentials.ok() ? access_.Find(*credentials) : credentials.status();
      caller_ = caller.ok() ? caller->name : "revoked";
    });
    return caller_;
  }

 private:
  const security::AccessFile& access_;
  mutable std::once_flag asked_;
  mutable std::string caller_;
};

// gRPC gives what comes from here back to Release().
class Contexts final : public grpc::ContextAllocator {
 public:
  explicit Contexts(std::shared_ptr<const security::AccessFile> access)
      : access_(std::move(access)) {}

  grpc::CallbackServerContext* NewCallbackServerContext() override {
    return new NamedContext(*access_);
  }

  // gRPC would make its own, and give that back as well.
  grpc::GenericCallbackServerContext* NewGenericCallbackServerContext() override {
    return new grpc::GenericCallbackServerContext;
  }

  void Release(grpc::CallbackServerContext* context) override { delete context; }

 private:
  const std::shared_ptr<const security::AccessFile> access_;
};

}  // namespace

Permissions DeclaredPermissions(const std::vector<std::string>& services) {
  Permissions declared;
  for (const std::string& name : services) {
    const google::protobuf::ServiceDescriptor* const service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      const google::protobuf::MethodDescriptor& method = *service->method(i);
      switch (method.options().GetExtension(security::v1::permission)) {
        case security::v1::PERMISSION_READER:
          declared.emplace(name + "/" + method.name(), Permission::kReader);
          break;
        case security::v1::PERMISSION_WRITER:
          declared.emplace(name + "/" + method.name(), Permission::kWriter);
          break;
        case security::v1::PERMISSION_OPERATOR:
          declared.emplace(name + "/" + method.name(), Permission::kOperator);
          break;
        default:
          break;
      }
    }
  }
  return declared;
}

Permissions Merge(const std::vector<Permissions>& tables) {
  Permissions all;
  for (const Permissions& table : tables) {
    all.insert(table.begin(), table.end());
  }
  return all;
}

bool Changes(const Permissions& permissions, std::string_view method) {
  const auto found = permissions.find(method);
  return found != permissions.end() && found->second > Permission::kReader;
}

absl::Status CheckPermissions(const std::vector<std::string>& services,
                              const Permissions& permissions) {
  std::set<std::string> methods;
  for (const std::string& name : services) {
    const google::protobuf::ServiceDescriptor* const service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    if (IsOwn(name)) {
      continue;
    }
    if (service == nullptr) {
      return Internal("the service {} has no descriptor, so its methods are not known", name);
    }
    for (int i = 0; i < service->method_count(); ++i) {
      methods.insert(name + "/" + service->method(i)->name());
    }
  }
  for (const std::string& method : methods) {
    if (!permissions.contains(method)) {
      return Internal("no permission is stated for the method {}", method);
    }
  }
  for (const auto& [method, permission] : permissions) {
    if (!methods.contains(method)) {
      return Internal("a permission is stated for a method that is not there: {}", method);
    }
  }
  return absl::OkStatus();
}

Gate::Gate(std::shared_ptr<const security::AccessFile> access,
           Permissions permissions,
           std::function<void(const Denial&)> denied)
    : access_(std::move(access)),
      permissions_(Merge({OwnPermissions(), std::move(permissions)})),
      denied_(std::move(denied)) {}

absl::Status Gate::Decide(const InputMetadata& metadata,
                          const grpc::AuthContext& connection,
                          Denial& denial) const {
  const auto path = metadata.find(":path");
  const std::string_view method = path == metadata.end() ? "" : MethodOf(View(path->second));
  denial.method = method;
  const auto needed = permissions_.find(method);
  if (needed != permissions_.end() && needed->second == Permission::kAnyone) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const security::Credentials credentials, CredentialsOf(metadata, &connection));
  ASSIGN_OR_RETURN(const security::Caller caller, access_->Find(credentials));
  // What is not there may be asked for by anyone who is known: unknown_methods.h says what is.
  if (needed != permissions_.end() && caller.permission < needed->second) {
    denial.caller = caller.name;
    return absl::PermissionDeniedError(fmt::format("{} needs the role {}, and {} has the role {}",
                                                   method,
                                                   ToString(needed->second),
                                                   caller.name,
                                                   ToString(caller.permission)));
  }
  return absl::OkStatus();
}

grpc::Status Gate::Process(const InputMetadata& metadata,
                           grpc::AuthContext* connection,
                           OutputMetadata* /*consumed*/,
                           OutputMetadata* /*response*/) {
  Denial denial;
  grpc::Status status = ToGrpcStatus(Decide(metadata, *connection, denial));
  if (!status.ok() && denied_) {
    denial.code = status.error_code();
    if (const auto id = metadata.find(kRequestIdKey);
        id != metadata.end() && IsRequestId(View(id->second))) {
      denial.request_id = View(id->second);
    }
    denied_(denial);
  }
  return status;
}

std::unique_ptr<grpc::ContextAllocator> ContextsWith(
    std::shared_ptr<const security::AccessFile> access) {
  return std::make_unique<Contexts>(std::move(access));
}

std::string Caller(const grpc::CallbackServerContext& context) {
  if (const auto* const named = dynamic_cast<const NamedContext*>(&context); named != nullptr) {
    return named->Caller();
  }
  const std::shared_ptr<const grpc::AuthContext> connection = context.auth_context();
  const auto credentials = CredentialsOf(context.client_metadata(), connection.get());
  if (credentials.ok() && !credentials->certificate_names.empty()) {
    return std::string(credentials->certificate_names.front());
  }
  return "anonymous";
}

}  // namespace millrace::rpc
