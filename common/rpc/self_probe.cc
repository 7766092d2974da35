#include "common/rpc/self_probe.h"

#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "common/rpc/address.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace millrace::rpc {

namespace {

void EndProcess(const absl::Status& last) {
  log::Error("answers_nobody", {{"error", std::string(Message(last))}});
  std::_Exit(EXIT_FAILURE);
}

// Whether the server says that it serves, over a connection of its own.
absl::StatusOr<bool> AskHealth(const std::string& target,
                               const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                               std::chrono::milliseconds timeout) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else an old connection would do
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto channel = grpc::CreateCustomChannel(target, credentials, arguments);
  const auto stub = ::grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  ::grpc::health::v1::HealthCheckResponse response;
  RETURN_IF_ERROR(FromGrpcStatus(stub->Check(&context, {}, &response)));
  return response.status() == ::grpc::health::v1::HealthCheckResponse::SERVING;
}

bool HasDescriptor() {
  const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return false;
  }
  close(descriptor);
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SelfProbe>> SelfProbe::Start(const std::string& address,
                                                            const security::v1::Tls& tls,
                                                            SelfProbeOptions options) {
  ASSIGN_OR_RETURN(ChannelTransport transport, MakeSelfTransport(tls));
  if (!options.give_up) {
    options.give_up = EndProcess;
  }
  return std::unique_ptr<SelfProbe>(
      new SelfProbe(LocalTarget(address), std::move(transport), std::move(options)));
}

SelfProbe::SelfProbe(std::string target, ChannelTransport transport, SelfProbeOptions options)
    : target_(std::move(target)),
      transport_(std::move(transport)),
      options_(std::move(options)),
      thread_([this] { Watch(); }) {}

SelfProbe::~SelfProbe() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SelfProbe::Watch() {
  int failures = 0;
  while (Pause()) {
    const std::int64_t refused = Refused();
    const absl::Status status = Ask();
    const bool busy = !HasDescriptor() || Refused() != refused;
    failures = status.ok() || busy ? 0 : failures + 1;
    if (failures == options_.failures_max) {
      options_.give_up(status);
      return;
    }
  }
}

std::int64_t SelfProbe::Refused() const {
  return options_.refused ? options_.refused() : 0;
}

// Whether to go on.
bool SelfProbe::Pause() {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, options_.interval, [this] { return stopping_; });
}

// Any answer will do, also that the server is stopping.
absl::Status SelfProbe::Ask() const {
  return AskHealth(target_, transport_.credentials, options_.timeout).status();
}

absl::Status ProbeSelf(const std::string& address,
                       const security::v1::Tls& tls,
                       std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(const ChannelTransport transport, MakeSelfTransport(tls));
  const auto serves = AskHealth(LocalTarget(address), transport.credentials, timeout);
  if (!serves.ok()) {
    return Unavailable("{} does not answer: {}", address, Message(serves.status()));
  }
  return *serves ? absl::OkStatus() : Unavailable("{} answers that it is not serving", address);
}

}  // namespace millrace::rpc
