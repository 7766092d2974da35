// TrainingStack: the training service with real workers between a data and a serving service that
// a test holds in its hand.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "millrace/training/v1/training_service.grpc.pb.h"

#include "common/rpc/channel.h"
#include "common/rpc/pool.h"
#include "common/rpc/server.h"
#include "common/status/grpc_status.h"
#include "services/training/publish/publish.h"
#include "services/training/rpc/training_service.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/example_data_service.h"
#include "tests/unit/services/training/fixed_clock.h"
#include "tests/unit/services/training/recording_serving_service.h"

namespace millrace::training {

/// A test may change `data`, `serving` and `options` before Start(), and may Stop() and Start()
/// again: the catalog is a file.
class TrainingStack {
 public:
  TrainingStack()
      : data_server_(rpc::Server::Start({}, {&data}).value()),
        serving_server_(rpc::Server::Start({}, {&serving}).value()) {
    options.worker.program = MILLRACE_WORKER;
    options.worker.grace = std::chrono::minutes(10);
    options.folder = folder_.path() + "/runs";
    options.data_address = "127.0.0.1:" + std::to_string(data_server_->port());
    serving_address = "127.0.0.1:" + std::to_string(serving_server_->port());
    options.publisher.waits = {.first = std::chrono::milliseconds(1),
                               .longest = std::chrono::milliseconds(8)};
  }

  ~TrainingStack() { Stop(); }

  TrainingStack(const TrainingStack&) = delete;
  TrainingStack& operator=(const TrainingStack&) = delete;

  void Start() {
    store_ = RunStore::Open(folder_.path() + "/runs.db", clock).value();
    serving_stub_ = serving::v1::ServingService::NewStub(rpc::MakeChannel(serving_address));
    options.publisher.send = [this](const TrainedRun& trained, const std::stop_token& stop) {
      return Publish(*serving_stub_,
                     {.folder = trained.folder,
                      .model = trained.run.model(),
                      .no_traffic = trained.run.no_traffic(),
                      .request_id = trained.request_id},
                     {},
                     stop);
    };
    executor_ = RunExecutor::Start(*store_, options).value();
    pool_ = std::make_unique<rpc::Pool>(2, 64);
    data_stub_ = data::v1::DataService::NewStub(rpc::MakeChannel(options.data_address));
    service_ = std::make_unique<TrainingService>(ServiceParts{.store = *store_,
                                                              .executor = *executor_,
                                                              .data_service = *data_stub_,
                                                              .serving_service = *serving_stub_,
                                                              .pool = *pool_,
                                                              .data_timeout = data_timeout,
                                                              .serving_timeout = serving_timeout,
                                                              .run_bytes_max = run_bytes_max});
    server_ = rpc::Server::Start({}, {service_.get()}).value();
    stub_ = v1::TrainingService::NewStub(server_->InProcessChannel());
  }

  void Stop() {
    if (server_ == nullptr) {
      return;
    }
    executor_->Stop();
    server_->Stop(std::chrono::seconds(0));
    stub_.reset();
    server_.reset();
    service_.reset();
    pool_.reset();
    executor_.reset();
    store_.reset();
  }

  v1::TrainingService::Stub& stub() { return *stub_; }

  absl::StatusOr<v1::Run> Create(const v1::CreateRunRequest& request) {
    grpc::ClientContext context;
    v1::Run run;
    const grpc::Status status = stub_->CreateRun(&context, request, &run);
    return status.ok() ? absl::StatusOr<v1::Run>(run) : FromGrpcStatus(status);
  }

  absl::StatusOr<v1::Run> Get(const std::string& name) {
    grpc::ClientContext context;
    v1::GetRunRequest request;
    request.set_name(name);
    v1::Run run;
    const grpc::Status status = stub_->GetRun(&context, request, &run);
    return status.ok() ? absl::StatusOr<v1::Run>(run) : FromGrpcStatus(status);
  }

  absl::StatusOr<v1::Run> Cancel(const std::string& name) {
    grpc::ClientContext context;
    v1::CancelRunRequest request;
    request.set_name(name);
    v1::Run run;
    const grpc::Status status = stub_->CancelRun(&context, request, &run);
    return status.ok() ? absl::StatusOr<v1::Run>(run) : FromGrpcStatus(status);
  }

  absl::StatusOr<v1::Run> PublishRun(const std::string& name) {
    grpc::ClientContext context;
    v1::PublishRunRequest request;
    request.set_name(name);
    v1::Run run;
    const grpc::Status status = stub_->PublishRun(&context, request, &run);
    return status.ok() ? absl::StatusOr<v1::Run>(run) : FromGrpcStatus(status);
  }

  absl::Status Delete(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteRunRequest request;
    request.set_name(name);
    v1::DeleteRunResponse response;
    return FromGrpcStatus(stub_->DeleteRun(&context, request, &response));
  }

  /// Watches a run to its end, and lets `on_event` see each event as it comes.
  std::vector<v1::RunEvent> Watch(const std::string& name,
                                  std::int64_t after_sequence = 0,
                                  const std::function<void(const v1::RunEvent&)>& on_event = {}) {
    grpc::ClientContext context;
    v1::WatchRunRequest request;
    request.set_name(name);
    request.set_after_sequence(after_sequence);
    const auto stream = stub_->WatchRun(&context, request);
    std::vector<v1::RunEvent> events;
    v1::RunEvent event;
    while (stream->Read(&event)) {
      events.push_back(event);
      if (on_event) {
        on_event(event);
      }
    }
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return events;
  }

  /// Returns when the run has an epoch of this number.
  void AwaitEpoch(const std::string& name, int epoch) {
    grpc::ClientContext context;
    v1::WatchRunRequest request;
    request.set_name(name);
    const auto stream = stub_->WatchRun(&context, request);
    v1::RunEvent event;
    while (stream->Read(&event) && event.epoch().epoch() < epoch) {
    }
    EXPECT_GE(event.epoch().epoch(), epoch);
    context.TryCancel();
    stream->Finish();
  }

  /// Returns when the run has come to this state.
  void AwaitState(const std::string& name, v1::Run::State state) {
    grpc::ClientContext context;
    v1::WatchRunRequest request;
    request.set_name(name);
    const auto stream = stub_->WatchRun(&context, request);
    v1::RunEvent event;
    while (stream->Read(&event) && event.run().state() != state) {
    }
    EXPECT_EQ(event.run().state(), state);
    context.TryCancel();
    stream->Finish();
  }

  /// The run where it rests.
  v1::Run AwaitEnd(const std::string& name) {
    const std::vector<v1::RunEvent> events = Watch(name);
    EXPECT_FALSE(events.empty());
    return events.empty() ? v1::Run() : events.back().run();
  }

  FixedClock clock;
  ExampleDataService data;
  RecordingServingService serving;
  ExecutorOptions options;
  std::string serving_address;
  std::chrono::milliseconds data_timeout{60'000};
  std::chrono::milliseconds serving_timeout{60'000};
  std::int64_t run_bytes_max = std::numeric_limits<std::int64_t>::max();

 private:
  storage::TemporaryFolder folder_;
  std::unique_ptr<rpc::Server> data_server_;
  std::unique_ptr<rpc::Server> serving_server_;
  std::unique_ptr<RunStore> store_;
  std::unique_ptr<RunExecutor> executor_;
  std::unique_ptr<rpc::Pool> pool_;
  std::unique_ptr<data::v1::DataService::Stub> data_stub_;
  std::unique_ptr<serving::v1::ServingService::Stub> serving_stub_;
  std::unique_ptr<TrainingService> service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::TrainingService::Stub> stub_;
};

/// The seed's network on ExampleDataService's dataset.
inline v1::CreateRunRequest SeedRequest(const std::string& more = "") {
  v1::CreateRunRequest request;
  request.set_dataset_version("datasets/points");
  request.set_model("models/points");
  const std::string text =
      "network { layers { dense { units: 10 activation: ACTIVATION_SIGMOID } } "
      "layers { dense { units: 1 activation: ACTIVATION_SIGMOID } } } "
      "optimizer { sgd { learning_rate: 0.1 } } batch_size: 10 " +
      more;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, request.mutable_spec())) << text;
  return request;
}

}  // namespace millrace::training
