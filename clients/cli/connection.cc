#include "clients/cli/connection.h"

#include <chrono>
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

template <typename Service>
absl::StatusOr<typename Service::Stub*> Connect(std::string_view name,
                                                const absl::StatusOr<Endpoints>& endpoints,
                                                std::string Addresses::*field,
                                                const std::stop_token& stop,
                                                std::unique_ptr<typename Service::Stub>& stub) {
  if (stub != nullptr) {
    return stub.get();
  }
  RETURN_IF_ERROR(endpoints.status());
  const std::string& address = endpoints->addresses.*field;
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   rpc::MakeChannel(address, endpoints->protection));
  if (const absl::Status ready = WaitUntilReady(*channel, stop); !ready.ok()) {
    return absl::IsCancelled(ready) ? ready
                                    : CannotReach(name,
                                                  address,
                                                  WhyNot(channel),
                                                  !endpoints->protection.tls.authority().empty());
  }
  stub = Service::NewStub(channel);
  return stub.get();
}

}  // namespace

absl::StatusOr<DataStub*> Connection::Data() {
  return Connect<data::v1::DataService>("data", endpoints_, &Addresses::data, stop_, data_);
}

absl::StatusOr<TrainingStub*> Connection::Training() {
  return Connect<training::v1::TrainingService>(
      "training", endpoints_, &Addresses::training, stop_, training_);
}

absl::StatusOr<ServingStub*> Connection::Serving() {
  return Connect<serving::v1::ServingService>(
      "serving", endpoints_, &Addresses::serving, stop_, serving_);
}

}  // namespace millrace::cli
