// Access: who may call what, decided for every method in one place.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "common/security/access_list.h"

namespace millrace::rpc {

/// What each method asks of its caller, by "millrace.data.v1.DataService/ImportDataset". Every
/// service states its own; the server refuses to start while they and its methods differ.
using Permissions = std::map<std::string, security::Permission, std::less<>>;

/// The entries of several services in one table.
Permissions Merge(const std::vector<Permissions>& tables);

/// Whether `method` changes something: it asks more than a reader's role. False without an entry.
bool Changes(const Permissions& permissions, std::string_view method);

/// INTERNAL that names the first method of `services` (full names in the generated descriptor pool)
/// without an entry, or the first entry without a method. Health and reflection are the server's
/// own: they have no entry.
absl::Status CheckPermissions(const std::vector<std::string>& services,
                              const Permissions& permissions);

/// Decides about a call before its handler is asked. Health is for anyone, reflection for readers,
/// everything else as the table says; what is in no table is refused. Keeps nothing about a call: a
/// connection's AuthContext is shared by all its calls, and so by all who share the connection.
/// Thread-safe.
class Gate final : public grpc::AuthMetadataProcessor {
 public:
  Gate(std::shared_ptr<const security::AccessFile> access, Permissions permissions);

  /// A decision takes about a microsecond, a hop to another thread ten times that.
  [[nodiscard]] bool IsBlocking() const override { return false; }

  /// UNAUTHENTICATED for nobody, PERMISSION_DENIED for somebody who may less.
  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* connection,
                       OutputMetadata* consumed,
                       OutputMetadata* response) override;

 private:
  [[nodiscard]] absl::Status Decide(const InputMetadata& metadata,
                                    const grpc::AuthContext& connection) const;

  const std::shared_ptr<const security::AccessFile> access_;
  const Permissions permissions_;
};

/// Lets Caller() find the access list of the server that a call came to.
std::unique_ptr<grpc::ContextAllocator> ContextsWith(
    std::shared_ptr<const security::AccessFile> access);

/// Who makes this call, for the audit log: the name in the server's access list; without a list the
/// URI, else the DNS name in the client's certificate; else "anonymous". Found anew from what the
/// call itself brought. When the list lost the caller since the call began: "revoked".
std::string Caller(const grpc::CallbackServerContext& context);

}  // namespace millrace::rpc
