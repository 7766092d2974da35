// What was begun can be given up: imports, runs and watches, by their caller or by a deadline.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/long_run.h"

namespace millrace::integration {
namespace {

using testing::HasSubstr;
using training::v1::RunEvent;

class CancelTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    LocalServicesTest::SetUpTestSuite();
    Require(ImportLongData(clients()).status());
  }

  // Cancels a run and waits for its end.
  static training::v1::Run Cancel(const training::v1::Run& run) {
    training::v1::CancelRunRequest request;
    request.set_name(run.name());
    EXPECT_TRUE(Call(clients().training(), &TrainingStub::CancelRun, request).ok());
    return Watch(clients().training(), run.name()).value().back().run();
  }

  static training::v1::Run Get(const training::v1::Run& run) {
    training::v1::GetRunRequest request;
    request.set_name(run.name());
    return Call(clients().training(), &TrainingStub::GetRun, request).value();
  }
};

// An import of which the header and one chunk have been sent.
class HalfImport {
 public:
  HalfImport(DataStub& stub, std::chrono::milliseconds timeout) {
    rpc::SetDeadline(context_, timeout);
    stream_ = stub.ImportDataset(&context_, &version_);
    EXPECT_TRUE(stream_->Write(HeaderMessage(HeaderOf("half", "half.csv", "y"))));
    EXPECT_TRUE(stream_->Write(ChunkMessage(0, "x,y\n1,a\n")));
  }

  void Cancel() { context_.TryCancel(); }

  absl::Status Finish() { return FromGrpcStatus(stream_->Finish()); }

 private:
  grpc::ClientContext context_;
  data::v1::DatasetVersion version_;
  std::unique_ptr<grpc::ClientWriter<data::v1::ImportDatasetRequest>> stream_;
};

TEST_F(CancelTest, ACancelledImportLeavesNothing) {
  const auto before = Inventory(clients()).value();
  HalfImport import(clients().data(), kCallMax);
  import.Cancel();
  EXPECT_EQ(import.Finish().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Inventory(clients()).value(), before);
}

TEST_F(CancelTest, AnImportPastItsDeadlineLeavesNothing) {
  const auto before = Inventory(clients()).value();
  HalfImport import(clients().data(), std::chrono::milliseconds(200));
  const absl::Status status = import.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("Deadline Exceeded"));
  EXPECT_EQ(Inventory(clients()).value(), before);
}

TEST_F(CancelTest, ACallWhoseDeadlineHasPassedDoesNothing) {
  const auto before = Inventory(clients()).value();
  const absl::Status status = Call(clients().training(),
                                   &TrainingStub::CreateRun,
                                   LongRun("late"),
                                   std::chrono::milliseconds(-1))
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Inventory(clients()).value(), before);
}

TEST_F(CancelTest, ACancelledRunEndsWithoutAModel) {
  const auto models = [] {
    return Call(clients().serving(), &ServingStub::ListModels, serving::v1::ListModelsRequest())
        .value()
        .models_size();
  };
  const int before = models();
  const training::v1::Run run = StartRun(clients().training(), LongRun("cancelled")).value();
  const training::v1::Run ended = Cancel(run);
  EXPECT_EQ(ended.state(), training::v1::Run::STATE_CANCELLED);
  EXPECT_EQ(ended.model_version(), "");
  EXPECT_TRUE(ended.has_end_time());
  EXPECT_EQ(Get(run).state(), training::v1::Run::STATE_CANCELLED);
  EXPECT_EQ(models(), before);

  training::v1::CancelRunRequest again;
  again.set_name(run.name());
  const absl::Status status = Call(clients().training(), &TrainingStub::CancelRun, again).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("has already been cancelled"));
}

TEST_F(CancelTest, AWaitingRunIsCancelledWithoutEverRunning) {
  const training::v1::Run running = StartRun(clients().training(), LongRun("in_front")).value();
  const training::v1::Run waiting =
      Call(clients().training(), &TrainingStub::CreateRun, LongRun("waiting")).value();
  EXPECT_EQ(waiting.state(), training::v1::Run::STATE_QUEUED);
  EXPECT_EQ(Cancel(waiting).state(), training::v1::Run::STATE_CANCELLED);
  const auto events = Watch(clients().training(), waiting.name()).value();
  std::vector<training::v1::Run::State> states;
  states.reserve(events.size());
  for (const RunEvent& event : events) {
    states.push_back(event.run().state());
  }
  EXPECT_THAT(
      states,
      testing::ElementsAre(training::v1::Run::STATE_QUEUED, training::v1::Run::STATE_CANCELLED));
  EXPECT_EQ(Get(running).state(), training::v1::Run::STATE_RUNNING);
  EXPECT_EQ(Cancel(running).state(), training::v1::Run::STATE_CANCELLED);
}

TEST_F(CancelTest, AWatcherThatGoesAwayDoesNotStopTheRun) {
  const training::v1::Run run = StartRun(clients().training(), LongRun("watched")).value();
  {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kCallMax);
    training::v1::WatchRunRequest request;
    request.set_name(run.name());
    const auto stream = clients().training().WatchRun(&context, request);
    RunEvent event;
    ASSERT_TRUE(stream->Read(&event));
    context.TryCancel();
    while (stream->Read(&event)) {
    }
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(Get(run).state(), training::v1::Run::STATE_RUNNING);
  EXPECT_EQ(Cancel(run).state(), training::v1::Run::STATE_CANCELLED);
}

TEST_F(CancelTest, AWatchPastItsDeadlineDoesNotStopTheRun) {
  const training::v1::Run run = StartRun(clients().training(), LongRun("outlived")).value();
  grpc::ClientContext context;
  rpc::SetDeadline(context, std::chrono::milliseconds(200));
  training::v1::WatchRunRequest request;
  request.set_name(run.name());
  const auto stream = clients().training().WatchRun(&context, request);
  RunEvent event;
  while (stream->Read(&event)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Get(run).state(), training::v1::Run::STATE_RUNNING);
  EXPECT_EQ(Cancel(run).state(), training::v1::Run::STATE_CANCELLED);
}

TEST_F(CancelTest, ALateWatcherOfARunThatGoesOnSeesItsHistoryFirst) {
  const training::v1::Run run = StartRun(clients().training(), LongRun("joined")).value();
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  training::v1::WatchRunRequest request;
  request.set_name(run.name());
  const auto stream = clients().training().WatchRun(&context, request);
  RunEvent event;
  for (std::int64_t sequence = 1; stream->Read(&event); ++sequence) {
    EXPECT_EQ(event.sequence(), sequence);
    if (event.has_epoch()) {
      break;
    }
  }
  EXPECT_EQ(event.epoch().epoch(), 1);
  EXPECT_EQ(Cancel(run).state(), training::v1::Run::STATE_CANCELLED);
  // Who watches meanwhile is told of the end.
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(event.run().state(), training::v1::Run::STATE_CANCELLED);
}

}  // namespace
}  // namespace millrace::integration
