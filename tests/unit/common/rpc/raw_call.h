// RawCall: a call of any path with any bytes, as somebody with another contract makes it.

#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

namespace millrace::rpc {

/// Calls `method`, "package.Service/Method", with one message of `bytes`.
inline grpc::Status RawCall(const std::shared_ptr<grpc::Channel>& channel,
                            const std::string& method,
                            const std::string& bytes = "",
                            const std::string& authorization = "") {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  if (!authorization.empty()) {
    context.AddMetadata("authorization", authorization);
  }
  const grpc::Slice slice(bytes);
  grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/" + method, {}, &request, &response, [&done](grpc::Status status) {
    done.set_value(std::move(status));
  });
  return done.get_future().get();
}

}  // namespace millrace::rpc
