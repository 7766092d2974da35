#include "clients/cli/connection.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "common/rpc/channel.h"
#include "common/status/status.h"

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

template <typename Service>
absl::StatusOr<typename Service::Stub*> Connect(std::string_view name,
                                                const std::string& address,
                                                const std::stop_token& stop,
                                                std::unique_ptr<typename Service::Stub>& stub) {
  if (stub != nullptr) {
    return stub.get();
  }
  const std::shared_ptr<grpc::Channel> channel = rpc::MakeChannel(address);
  if (const absl::Status ready = WaitUntilReady(*channel, stop); !ready.ok()) {
    return absl::IsCancelled(ready)
               ? ready
               : WithFix(
                     Unavailable("cannot reach the {} service at {}", name, address),
                     fmt::format("'millrace up' starts it; --{}-address says where it is", name));
  }
  stub = Service::NewStub(channel);
  return stub.get();
}

}  // namespace

absl::StatusOr<DataStub*> Connection::Data() {
  return Connect<data::v1::DataService>("data", addresses_.data, stop_, data_);
}

absl::StatusOr<TrainingStub*> Connection::Training() {
  return Connect<training::v1::TrainingService>("training", addresses_.training, stop_, training_);
}

absl::StatusOr<ServingStub*> Connection::Serving() {
  return Connect<serving::v1::ServingService>("serving", addresses_.serving, stop_, serving_);
}

}  // namespace millrace::cli
