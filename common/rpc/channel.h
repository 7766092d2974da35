// Channel: how one service, or the command line, calls another.

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/security/v1/security.pb.h"

namespace millrace::rpc {

/// What protects a channel. By default nothing: plain text, as on loopback.
struct ChannelOptions {
  security::v1::Tls tls = {};   // with an authority: TLS, and the server's name is verified
  std::string token_file = {};  // holds the token that goes with every call; empty: none
};

/// A channel to host:port in plain text, with keepalive and the message limit. Connects when first
/// used.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

/// The same, protected by `options`; its files are read again while the channel lives. Fails where
/// they cannot be used, and with FAILED_PRECONDITION where a token would leave the machine as plain
/// text.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options);

/// Sets the deadline that every outgoing call must have, and waits for a connection until then.
void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds timeout);

/// Asks grpc.health.v1 at `address` whether it serves: OK, or UNAVAILABLE that says why. What
/// `--probe` does; where a server listens on every address, it asks on the loopback.
absl::Status Probe(const std::string& address,
                   std::chrono::milliseconds timeout,
                   const ChannelOptions& options = {});

}  // namespace millrace::rpc
