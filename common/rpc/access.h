// Access: who may call what, decided for every method in one place.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "common/security/access_list.h"

namespace millrace::rpc {

/// What each method asks of its caller, by "millrace.data.v1.DataService/ImportDataset". The server
/// refuses to start while a method of its services has none.
using Permissions = std::map<std::string, security::Permission, std::less<>>;

/// What the contracts of `services` (full names in the generated descriptor pool) say of their
/// methods, by the option millrace.security.v1.permission; nothing of one that does not say it.
Permissions DeclaredPermissions(const std::vector<std::string>& services);

/// The entries of several services in one table.
Permissions Merge(const std::vector<Permissions>& tables);

/// Whether `method` changes something: it asks more than a reader's role. False without an entry.
bool Changes(const Permissions& permissions, std::string_view method);

/// INTERNAL that names the first method of `services` (full names in the generated descriptor pool)
/// without an entry, or the first entry without a method. Health and reflection are the server's
/// own: they have no entry.
absl::Status CheckPermissions(const std::vector<std::string>& services,
                              const Permissions& permissions);

/// A call that was refused: by whom it was made, as far as that is known, and why.
struct Denial {
  std::string_view method;
  grpc::StatusCode code = grpc::StatusCode::UNAUTHENTICATED;
  std::string caller;      // empty: nobody who is known
  std::string request_id;  // empty: none
};

/// Decides about a call before its handler is asked. Health is for anyone, reflection for readers,
/// everything else as the table says, and a method that is not there for whoever is known. Keeps
/// nothing about a call: a connection's AuthContext is shared by all its calls, and so by all who
/// share the connection. Thread-safe.
class Gate final : public grpc::AuthMetadataProcessor {
 public:
  /// `denied`, which may be empty, hears of each call that is refused.
  Gate(std::shared_ptr<const security::AccessFile> access,
       Permissions permissions,
       std::function<void(const Denial&)> denied);

  /// A decision takes about a microsecond, a hop to another thread ten times that.
  [[nodiscard]] bool IsBlocking() const override { return false; }

  /// UNAUTHENTICATED for nobody, PERMISSION_DENIED for somebody who may less.
  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* connection,
                       OutputMetadata* consumed,
                       OutputMetadata* response) override;

 private:
  absl::Status Decide(const InputMetadata& metadata,
                      const grpc::AuthContext& connection,
                      Denial& denial) const;

  const std::shared_ptr<const security::AccessFile> access_;
  const Permissions permissions_;
  const std::function<void(const Denial&)> denied_;
};

/// Lets Caller() find the access list of the server that a call came to.
std::unique_ptr<grpc::ContextAllocator> ContextsWith(
    std::shared_ptr<const security::AccessFile> access);

/// Who makes this call, for the audit log: the name in the server's access list; without a list the
/// URI, else the DNS name in the client's certificate; else "anonymous". Found anew from what the
/// call itself brought, when this is first asked: a name stays that of who began the call, whatever
/// the list says later. When the list lost the caller before that: "revoked".
std::string Caller(const grpc::CallbackServerContext& context);

}  // namespace millrace::rpc
