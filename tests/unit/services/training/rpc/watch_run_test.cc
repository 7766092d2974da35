#include "services/training/rpc/watch_run.h"

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/rpc/training_stack.h"

namespace millrace::training {
namespace {

using v1::RunEvent;

class WatchRunTest : public testing::Test {
 protected:
  static std::vector<std::string> Bytes(const std::vector<RunEvent>& events) {
    std::vector<std::string> bytes;
    bytes.reserve(events.size());
    for (const RunEvent& event : events) {
      bytes.push_back(event.SerializeAsString());
    }
    return bytes;
  }

  absl::Status StatusOfWatch(const std::string& name, std::int64_t after_sequence) {
    grpc::ClientContext context;
    v1::WatchRunRequest request;
    request.set_name(name);
    request.set_after_sequence(after_sequence);
    const auto stream = stack_.stub().WatchRun(&context, request);
    RunEvent event;
    while (stream->Read(&event)) {
    }
    return FromGrpcStatus(stream->Finish());
  }

  TrainingStack stack_;
};

TEST_F(WatchRunTest, ALateWatcherSeesWhatALiveOneSaw) {
  stack_.Start();
  const std::string name = stack_.Create(SeedRequest("epochs: 50"))->name();

  const std::vector<RunEvent> live = stack_.Watch(name);
  const std::vector<RunEvent> late = stack_.Watch(name);

  EXPECT_EQ(Bytes(live), Bytes(late));
  for (std::size_t i = 0; i < live.size(); ++i) {
    EXPECT_EQ(live[i].sequence(), static_cast<std::int64_t>(i) + 1);
  }
  EXPECT_EQ(live.front().run().state(), v1::Run::STATE_QUEUED);
  EXPECT_EQ(live.back().run().state(), v1::Run::STATE_SUCCEEDED);
  int epochs = 0;
  for (const RunEvent& event : live) {
    if (event.has_epoch()) {
      EXPECT_EQ(event.epoch().epoch(), ++epochs);
      EXPECT_TRUE(event.epoch().has_validation());
      EXPECT_GT(event.epoch().examples_per_second(), 0);
    }
  }
  EXPECT_EQ(epochs, 50);
}

TEST_F(WatchRunTest, AWatcherSeesTheHistoryAfterARestartToo) {
  stack_.Start();
  const std::string name = stack_.Create(SeedRequest("epochs: 3"))->name();
  const std::vector<RunEvent> before = stack_.Watch(name);

  stack_.Stop();
  stack_.Start();

  EXPECT_EQ(Bytes(stack_.Watch(name)), Bytes(before));
}

TEST_F(WatchRunTest, AWatcherMayGoOnWhereItWas) {
  stack_.Start();
  const std::string name = stack_.Create(SeedRequest("epochs: 5"))->name();
  const std::vector<RunEvent> all = stack_.Watch(name);

  const std::vector<RunEvent> rest = stack_.Watch(name, 4);

  ASSERT_EQ(rest.size(), all.size() - 4);
  EXPECT_EQ(rest.front().sequence(), 5);
  EXPECT_TRUE(stack_.Watch(name, all.back().sequence()).empty());
}

TEST_F(WatchRunTest, SeveralWatchersSeeTheSame) {
  stack_.Start();
  const std::string name = stack_.Create(SeedRequest("epochs: 200"))->name();
  std::vector<std::vector<RunEvent>> seen(4);
  std::vector<std::thread> watchers;
  for (std::vector<RunEvent>& events : seen) {
    watchers.emplace_back([&] { events = stack_.Watch(name); });
  }
  for (std::thread& watcher : watchers) {
    watcher.join();
  }

  for (const std::vector<RunEvent>& events : seen) {
    EXPECT_EQ(Bytes(events), Bytes(seen[0]));
  }
  EXPECT_EQ(seen[0].back().run().state(), v1::Run::STATE_SUCCEEDED);
}

// Stop() in the stack's destructor returns only when no call is left.
TEST_F(WatchRunTest, AWatcherThatLeavesIsForgotten) {
  stack_.Start();
  const std::string running = stack_.Create(SeedRequest("epochs: 100000"))->name();
  const std::string waiting = stack_.Create(SeedRequest())->name();
  for (const std::string& name : {running, waiting}) {
    grpc::ClientContext context;
    v1::WatchRunRequest request;
    request.set_name(name);
    const auto stream = stack_.stub().WatchRun(&context, request);
    RunEvent event;
    ASSERT_TRUE(stream->Read(&event));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }

  EXPECT_TRUE(stack_.Cancel(running).ok());
  EXPECT_EQ(stack_.AwaitEnd(waiting).state(), v1::Run::STATE_SUCCEEDED);
}

TEST_F(WatchRunTest, AnUnknownRunIsNotFoundAndABadRequestIsRefused) {
  stack_.Start();

  EXPECT_THAT(StatusOfWatch("runs/r9", 0),
              Fails(absl::StatusCode::kNotFound, "there is no runs/r9"));
  EXPECT_THAT(StatusOfWatch("runs/", 0), Fails(absl::StatusCode::kInvalidArgument, "name"));
  EXPECT_THAT(StatusOfWatch("runs/r9", -1),
              Fails(absl::StatusCode::kInvalidArgument, "after_sequence"));
}

}  // namespace
}  // namespace millrace::training
