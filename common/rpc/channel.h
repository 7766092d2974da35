// Channel: how one service, or the command line, calls another.

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

namespace millrace::rpc {

/// A channel to host:port, with keepalive and the message limit. Plain text: TLS comes by
/// configuration. Connects when first used.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

/// Sets the deadline that every outgoing call must have, and waits for a connection until then.
void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds timeout);

/// Asks grpc.health.v1 at `address` whether it serves: OK, or UNAVAILABLE that says why. What
/// `--probe` does.
absl::Status Probe(const std::string& address, std::chrono::milliseconds timeout);

}  // namespace millrace::rpc
