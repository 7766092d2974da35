// RequestId: what one wish of a caller is called in the logs of every service that it touches.

#pragma once

#include <string>
#include <string_view>

#include <grpcpp/grpcpp.h>

namespace millrace::rpc {

/// The metadata in which it travels.
inline constexpr const char* kRequestIdKey = "x-request-id";

/// Whether `id` may stand in logs: 1 to 64 characters of `[A-Za-z0-9_.-]`.
bool IsRequestId(std::string_view id);

/// 16 hexadecimal digits, drawn at random.
std::string NewRequestId();

/// What the caller gave; empty when it gave none, or one that IsRequestId() refuses.
std::string RequestId(const grpc::CallbackServerContext& context);

/// Gives `id` to the callee; nothing when it is empty.
void SetRequestId(grpc::ClientContext& context, const std::string& id);

}  // namespace millrace::rpc
