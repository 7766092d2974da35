// Connection: the command's way to the three services.

#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/serving/v1/serving_service.grpc.pb.h"
#include "millrace/status/v1/status_service.grpc.pb.h"
#include "millrace/training/v1/training_service.grpc.pb.h"

#include "clients/cli/connection_options.h"
#include "common/rpc/channel.h"
#include "common/rpc/request_id.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::cli {

using DataStub = data::v1::DataService::Stub;
using TrainingStub = training::v1::TrainingService::Stub;
using ServingStub = serving::v1::ServingService::Stub;
using StatusStub = status::v1::StatusService::Stub;  // of any of the three

/// The three services, in the order of the data.
enum class Service { kData, kTraining, kServing };

constexpr std::array kServices{Service::kData, Service::kTraining, Service::kServing};

/// `data`, `training` or `serving`.
std::string_view NameOf(Service service);

const std::string& AddressOf(const Addresses& addresses, Service service);

constexpr std::chrono::seconds kCallMax{60};     // a call that answers at once
constexpr std::chrono::hours kTransferMax{6};    // an upload
constexpr std::chrono::seconds kConnectMax{10};  // name lookup and handshake

/// The context of one call: it has a deadline, is cancelled when the user asks to stop, and does
/// not wait for a service that went away after it was connected to.
class CallContext {
 public:
  CallContext(std::chrono::milliseconds timeout,
              const std::stop_token& stop,
              const std::string& request_id = {})
      : on_stop_(stop, [this] { context_.TryCancel(); }) {
    rpc::SetDeadline(context_, timeout);
    rpc::SetRequestId(context_, request_id);
    context_.set_wait_for_ready(false);
  }

  grpc::ClientContext* get() { return &context_; }

 private:
  grpc::ClientContext context_;
  std::stop_callback<std::function<void()>> on_stop_;
};

/// Connects when first asked for a stub, and owns the stubs. A service that cannot be reached is
/// UNAVAILABLE at once, with its address and what to do; where the endpoints are an error, each
/// stub is. Not thread-safe.
class Connection {
 public:
  /// `request_id` goes with every call.
  Connection(absl::StatusOr<Endpoints> endpoints, std::stop_token stop, std::string request_id = {})
      : endpoints_(std::move(endpoints)),
        stop_(std::move(stop)),
        request_id_(std::move(request_id)) {}

  absl::StatusOr<DataStub*> Data();
  absl::StatusOr<TrainingStub*> Training();
  absl::StatusOr<ServingStub*> Serving();
  absl::StatusOr<StatusStub*> StatusOf(Service service);

  /// One unary call, CANCELLED when the user asks to stop:
  /// `Call(connection.Data(), &DataStub::GetDataset, request)`.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(const absl::StatusOr<Stub*>& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                             const Request&,
                                                             Response*),
                                const Request& request) {
    RETURN_IF_ERROR(stub.status());
    CallContext context(kCallMax, stop_, request_id_);
    Response response;
    const absl::Status status =
        FromGrpcStatus(((*stub)->*method)(context.get(), request, &response));
    if (absl::IsCancelled(status) && stop_.stop_requested()) {
      return Cancelled("interrupted");
    }
    RETURN_IF_ERROR(status);
    return response;
  }

  [[nodiscard]] const std::stop_token& stop() const { return stop_; }

  [[nodiscard]] const std::string& request_id() const { return request_id_; }

  [[nodiscard]] const absl::StatusOr<Endpoints>& endpoints() const { return endpoints_; }

 private:
  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(Service service);

  absl::StatusOr<Endpoints> endpoints_;
  std::stop_token stop_;
  std::string request_id_;
  std::array<std::shared_ptr<grpc::Channel>, kServices.size()> channels_;  // null: not yet used
  std::unique_ptr<DataStub> data_;
  std::unique_ptr<TrainingStub> training_;
  std::unique_ptr<ServingStub> serving_;
  std::array<std::unique_ptr<StatusStub>, kServices.size()> status_;
};

}  // namespace millrace::cli
