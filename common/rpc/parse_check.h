// ParseCheck: says that a request cannot be parsed, where gRPC says only UNIMPLEMENTED.

#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <google/protobuf/message.h>
#include <grpcpp/support/server_interceptor.h>

namespace millrace::rpc {

/// What a call ends with whose request is no `message`: INVALID_ARGUMENT that names it.
absl::Status CannotBeParsed(std::string_view message);

/// An interceptor for every method but gRPC's own and `passed_over`, whose handlers say it
/// themselves. A bad message in a stream ends the stream for its handler; the call then ends with
/// CannotBeParsed() unless it has succeeded. A handler that threw, for which gRPC says
/// UNIMPLEMENTED too, cannot be told from a method that is not there: both get a text that says so.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ParseCheckCreator(
    std::set<std::string, std::less<>> passed_over);

}  // namespace millrace::rpc
