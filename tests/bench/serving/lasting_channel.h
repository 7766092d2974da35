// LastingChannel: a client's channel that is never destroyed.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "common/rpc/channel.h"

namespace millrace::serving {

/// A channel for calls with callbacks. gRPC 1.51 can free its completion queue twice when the last
/// channel goes while a thread of its own comes back from a callback, so this one stays. Not
/// thread-safe.
inline std::shared_ptr<grpc::Channel> LastingChannel(const std::string& address) {
  static auto& lasting = *new std::vector<std::shared_ptr<grpc::Channel>>();
  return lasting.emplace_back(rpc::MakeChannel(address));
}

}  // namespace millrace::serving
