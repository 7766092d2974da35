#include "common/rpc/access.h"

#include <set>
#include <utility>

#include <google/protobuf/descriptor.h>

#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::rpc {

namespace {

using security::Permission;
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

constexpr std::string_view kScheme = "Bearer ";
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
    if (std::next(begin) != end || value.substr(0, kScheme.size()) != kScheme) {
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

class Contexts final : public grpc::ContextAllocator {
 public:
  explicit Contexts(std::shared_ptr<const security::AccessFile> access)
      : access_(std::move(access)) {}

  grpc::CallbackServerContext* NewCallbackServerContext() override {
    return new grpc::CallbackServerContext;  // gRPC gives it back to Release()
  }

  void Release(grpc::CallbackServerContext* context) override { delete context; }

  [[nodiscard]] const security::AccessFile& access() const { return *access_; }

 private:
  const std::shared_ptr<const security::AccessFile> access_;
};

}  // namespace

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

Gate::Gate(std::shared_ptr<const security::AccessFile> access, Permissions permissions)
    : access_(std::move(access)),
      permissions_(Merge({OwnPermissions(), std::move(permissions)})) {}

absl::Status Gate::Decide(const InputMetadata& metadata,
                          const grpc::AuthContext& connection) const {
  const auto path = metadata.find(":path");
  const std::string_view method =
      path == metadata.end() || path->second.empty() ? "" : View(path->second).substr(1);
  const auto needed = permissions_.find(method);
  if (needed != permissions_.end() && needed->second == Permission::kAnyone) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const security::Credentials credentials, CredentialsOf(metadata, &connection));
  ASSIGN_OR_RETURN(const security::Caller caller, access_->Find(credentials));
  if (needed == permissions_.end()) {
    return absl::UnimplementedError("there is no such method");
  }
  if (caller.permission < needed->second) {
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
  return ToGrpcStatus(Decide(metadata, *connection));
}

std::unique_ptr<grpc::ContextAllocator> ContextsWith(
    std::shared_ptr<const security::AccessFile> access) {
  return std::make_unique<Contexts>(std::move(access));
}

std::string Caller(const grpc::CallbackServerContext& context) {
  const std::shared_ptr<const grpc::AuthContext> connection = context.auth_context();
  const auto credentials = CredentialsOf(context.client_metadata(), connection.get());
  const auto* const contexts = dynamic_cast<const Contexts*>(context.context_allocator());
  if (contexts != nullptr) {
    if (!credentials.ok()) {
      return "revoked";
    }
    const auto caller = contexts->access().Find(*credentials);
    return caller.ok() ? caller->name : "revoked";
  }
  if (credentials.ok() && !credentials->certificate_names.empty()) {
    return std::string(credentials->certificate_names.front());
  }
  return "anonymous";
}

}  // namespace millrace::rpc
