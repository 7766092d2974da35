// Transport: what protects a connection, from configuration to gRPC's credentials.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "common/security/tls_files.h"

namespace millrace::rpc {

/// What a server listens with.
struct ServerTransport {
  std::unique_ptr<security::TlsFiles> files;  // null: plain text; must outlive `credentials`
  std::vector<std::shared_ptr<grpc::ServerCredentials>> credentials;
};

/// TLS where `tls` has a certificate, with clients' certificates where it has an authority. Else
/// plain text; when `gated`, such that gRPC refuses peers from outside the machine, because a gate
/// asks for tokens. Gives `count` credentials, all alike, so that each can have a gate of its own.
/// INVALID_ARGUMENT for an authority without a certificate.
absl::StatusOr<ServerTransport> MakeServerTransport(const security::v1::Tls& tls,
                                                    bool gated,
                                                    std::size_t count = 1);

/// What a channel calls with.
struct ChannelTransport {
  std::unique_ptr<security::TlsFiles> files;  // null: plain text; must outlive `credentials`
  std::shared_ptr<grpc::ChannelCredentials> credentials;
};

/// TLS where `tls` has an authority: the server's name is verified, and the own certificate shown
/// where there is one. Else plain text. `token_file`, unless empty, holds a token that goes with
/// every call: FAILED_PRECONDITION when it would leave the machine as plain text.
absl::StatusOr<ChannelTransport> MakeChannelTransport(const security::v1::Tls& tls,
                                                      const std::string& token_file,
                                                      bool loopback);

/// What a process calls its own server with: the server's own certificate where there is one, and
/// no look at the one it is shown.
absl::StatusOr<ChannelTransport> MakeSelfTransport(const security::v1::Tls& tls);

}  // namespace millrace::rpc
