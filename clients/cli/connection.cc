#include "clients/cli/connection.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "clients/cli/connection_options.h"
#include "common/rpc/channel.h"
#include "common/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace millrace::cli {

namespace {

// Waits until `channel` can be used. Unlike WaitForConnected it gives up at the first refusal:
// nobody wants to look at a silent terminal because a service is down.
absl::Status WaitUntilReady(grpc::Channel& channel, const std::stop_token& stop) {
  const auto deadline = std::chrono::system_clock::now() + kConnectMax;
  constexpr std::chrono::milliseconds kGlance{100};  // how soon a wish to stop is seen
  while (!stop.stop_requested()) {
    const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) {
      return absl::OkStatus();
    }
    const auto now = std::chrono::system_clock::now();
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN ||
        now >= deadline) {
      return Unavailable("nothing answers");
    }
    channel.WaitForStateChange(state, now + kGlance);
  }
  return Cancelled("interrupted");
}

// What a call says about why `channel` cannot be used.
std::string WhyNot(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
  ::grpc::health::v1::HealthCheckResponse response;
  const auto stub = ::grpc::health::v1::Health::NewStub(channel);
  return stub->Check(&context, {}, &response).error_message();
}

absl::Status CannotReach(std::string_view name,
                         const std::string& address,
                         const std::string& why,
                         bool protected_by_tls) {
  // gRPC's words are many, and the last of them matter.
  constexpr std::string_view kLast = "last error: ";
  const std::size_t last = why.rfind(kLast);
  const bool handshake =
      why.find("handshake") != std::string::npos || why.find("Socket closed") != std::string::npos;
  const std::string hint =
      !handshake ? fmt::format("'millrace up' starts it; --{}-address says where it is", name)
      : protected_by_tls
          ? "see that it speaks TLS, that its certificate names this host and comes from --ca's "
            "authority, and that it takes --cert's"
          : "a service that speaks TLS needs --ca, or a context that has it";
  return WithFix(
      Unavailable("cannot reach the {} service at {}{}",
                  name,
                  address,
                  handshake
                      ? ": " + (last == std::string::npos ? why : why.substr(last + kLast.size()))
                      : ""),
      hint);
}

}  // namespace

std::string_view NameOf(Service service) {
  constexpr std::array<std::string_view, kServices.size()> kNames{"data", "training", "serving"};
  return kNames[static_cast<std::size_t>(service)];
}

const std::string& AddressOf(const Addresses& addresses, Service service) {
  constexpr std::array<std::string Addresses::*, kServices.size()> kFields{
      &Addresses::data, &Addresses::training, &Addresses::serving};
  return addresses.*kFields[static_cast<std::size_t>(service)];
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connection::ChannelTo(Service service) {
  std::shared_ptr<grpc::Channel>& kept = channels_[static_cast<std::size_t>(service)];
  if (kept != nullptr) {
    return kept;
  }
  RETURN_IF_ERROR(endpoints_.status());
  const std::string& address = AddressOf(endpoints_->addresses, service);
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   rpc::MakeChannel(address, endpoints_->protection));
  if (const absl::Status ready = WaitUntilReady(*channel, stop_); !ready.ok()) {
    return absl::IsCancelled(ready) ? ready
                                    : CannotReach(NameOf(service),
                                                  address,
                                                  WhyNot(channel),
                                                  !endpoints_->protection.tls.authority().empty());
  }
  kept = channel;
  return kept;
}

absl::StatusOr<DataStub*> Connection::Data() {
  if (data_ == nullptr) {
    ASSIGN_OR_RETURN(const auto channel, ChannelTo(Service::kData));
    data_ = data::v1::DataService::NewStub(channel);
  }
  return data_.get();
}

absl::StatusOr<TrainingStub*> Connection::Training() {
  if (training_ == nullptr) {
    ASSIGN_OR_RETURN(const auto channel, ChannelTo(Service::kTraining));
    training_ = training::v1::TrainingService::NewStub(channel);
  }
  return training_.get();
}

absl::StatusOr<ServingStub*> Connection::Serving() {
  if (serving_ == nullptr) {
    ASSIGN_OR_RETURN(const auto channel, ChannelTo(Service::kServing));
    serving_ = serving::v1::ServingService::NewStub(channel);
  }
  return serving_.get();
}

absl::StatusOr<StatusStub*> Connection::StatusOf(Service service) {
  std::unique_ptr<StatusStub>& stub = status_[static_cast<std::size_t>(service)];
  if (stub == nullptr) {
    ASSIGN_OR_RETURN(const auto channel, ChannelTo(service));
    stub = status::v1::StatusService::NewStub(channel);
  }
  return stub.get();
}

}  // namespace millrace::cli
