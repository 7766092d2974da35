#include "common/rpc/channel.h"

#include "common/rpc/address.h"
#include "common/rpc/transport.h"
#include "common/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace millrace::rpc {

namespace {

constexpr int kMessageBytesMax = 4 << 20;
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;

// The services start together and in any order, so a refused connection is tried again soon.
constexpr int kReconnectMsFirst = 100;
constexpr int kReconnectMsMax = 2'000;

// How long one attempt may take, handshake and all: a loaded or distant machine is not a dead one.
constexpr int kConnectMsMax = 5'000;

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // A watched run may say nothing for minutes; its connection is still to be kept.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMsFirst);
  // Its name misleads: gRPC gives up an attempt after this time, and pauses by the other two.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMsMax);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  // A proxy of the environment is for the web, not for the service next door.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

// A channel and the files that it reads.
struct ProtectedChannel {
  ChannelTransport transport;
  std::shared_ptr<grpc::Channel> channel;  // the last member: it ends first
};

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), Arguments());
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options) {
  const auto result = std::make_shared<ProtectedChannel>();
  ASSIGN_OR_RETURN(
      result->transport,
      MakeChannelTransport(options.tls, options.token_file, IsLoopback(HostOf(address))));
  result->channel = grpc::CreateCustomChannel(address, result->transport.credentials, Arguments());
  return std::shared_ptr<grpc::Channel>(result, result->channel.get());
}

void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds timeout) {
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  context.set_wait_for_ready(true);
}

absl::Status Probe(const std::string& address,
                   std::chrono::milliseconds timeout,
                   const ChannelOptions& options) {
  ASSIGN_OR_RETURN(const auto channel, MakeChannel(LocalTarget(address), options));
  const auto stub = ::grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  ::grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, {}, &response);
  if (!status.ok()) {
    return Unavailable("{} does not answer: {}", address, status.error_message());
  }
  if (response.status() != ::grpc::health::v1::HealthCheckResponse::SERVING) {
    return Unavailable("{} answers that it is not serving", address);
  }
  return absl::OkStatus();
}

}  // namespace millrace::rpc
