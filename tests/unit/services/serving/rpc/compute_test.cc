#include "services/serving/rpc/compute.h"

#include <atomic>
#include <future>
#include <new>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "inference/open_inference_grpc.grpc.pb.h"
#include "services/serving/rpc/message_pool.h"
#include "tests/unit/services/serving/rpc/blocker.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;

// Computes as it is told to.
class ComputingService final : public inference::GRPCInferenceService::CallbackService {
 public:
  double microseconds = 1'000;
  bool throws = false;  // whether there is no memory for the work
  bool late = false;    // whether a call reaches Compute() only after its deadline
  ComputePool pool{{.threads = 1, .waiting_max = 1}};
  std::thread::id arrived;
  std::thread::id worked;
  std::atomic<int> arrival_count = 0;
  std::atomic<int> work_count = 0;

  ComputingService() { SetMessageAllocatorFor_ServerLive(&messages_); }

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* /*response*/) override {
    arrived = std::this_thread::get_id();
    ++arrival_count;
    while (late && std::chrono::system_clock::now() <= context->deadline()) {
      std::this_thread::yield();
    }
    const MeteredCall call = {.context = *context, .meter = Messages::MeterOf(*context)};
    return Compute(call, pool, *request, microseconds, [this] {
      worked = std::this_thread::get_id();
      ++work_count;
      if (throws) {
        throw std::bad_alloc();
      }
      return absl::OkStatus();
    });
  }

 private:
  using Messages = MessagePool<inference::ServerLiveRequest, inference::ServerLiveResponse>;

  prometheus::Registry registry_;
  rpc::CallMetrics calls_{registry_, "inference.GRPCInferenceService/ServerLive", false};
  Messages messages_{calls_};
};

// A call that goes on while the test does.
class OpenCall {
 public:
  explicit OpenCall(inference::GRPCInferenceService::Stub& stub) {
    rpc::SetDeadline(context_, std::chrono::seconds(60));
    status_ = std::async(std::launch::async, [this, &stub] {
      inference::ServerLiveResponse response;
      return stub.ServerLive(&context_, {}, &response);
    });
  }

  void Cancel() { context_.TryCancel(); }

  grpc::Status Result() { return status_.get(); }

 private:
  grpc::ClientContext context_;
  std::future<grpc::Status> status_;
};

class ComputeTest : public testing::Test {
 protected:
  grpc::Status Call(std::chrono::milliseconds timeout = std::chrono::seconds(60)) {
    grpc::ClientContext context;
    rpc::SetDeadline(context, timeout);
    inference::ServerLiveResponse response;
    return stub_->ServerLive(&context, {}, &response);
  }

  void AwaitLoad(std::size_t load) const {
    while (service_.pool.load() != load) {
      std::this_thread::yield();
    }
  }

  ComputingService service_;
  std::unique_ptr<rpc::Server> server_ = *rpc::Server::Start({}, {&service_});
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_ =
      inference::GRPCInferenceService::NewStub(server_->InProcessChannel());
};

TEST_F(ComputeTest, ShortWorkRunsWhereTheCallArrives) {
  service_.microseconds = 49;
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_.worked, service_.arrived);
}

TEST_F(ComputeTest, LongWorkRunsInThePool) {
  service_.microseconds = 50;
  EXPECT_TRUE(Call().ok());
  EXPECT_NE(service_.worked, service_.arrived);
}

TEST_F(ComputeTest, ShortWorkDoesNotWaitForLongWork) {
  const Blocker blocker(service_.pool);
  OpenCall waits(*stub_);
  AwaitLoad(2);
  service_.microseconds = 49;

  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_.work_count, 1);
  waits.Cancel();
  EXPECT_EQ(waits.Result().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ComputeTest, WithoutMemoryOneCallEndsAndTheNextIsAnswered) {
  for (const double microseconds : {1.0, 1'000.0}) {
    service_.microseconds = microseconds;
    service_.throws = true;
    const grpc::Status status = Call();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << microseconds;
    EXPECT_THAT(status.error_message(), HasSubstr("memory"));

    service_.throws = false;
    EXPECT_TRUE(Call().ok());
  }
}

TEST_F(ComputeTest, AFullQueueAnswersAtOnce) {
  const Blocker blocker(service_.pool);
  OpenCall waits(*stub_);
  AwaitLoad(2);

  const grpc::Status status = Call();

  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the queue is full"));
  waits.Cancel();
  EXPECT_EQ(waits.Result().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ComputeTest, ACancelledCallFreesItsPlaceInTheQueueAndIsNotComputed) {
  {
    const Blocker blocker(service_.pool);
    OpenCall cancelled(*stub_);
    AwaitLoad(2);
    cancelled.Cancel();
    EXPECT_EQ(cancelled.Result().error_code(), grpc::StatusCode::CANCELLED);
    AwaitLoad(1);

    OpenCall next(*stub_);
    AwaitLoad(2);
    EXPECT_EQ(service_.work_count, 0);
    next.Cancel();
    next.Result();
    AwaitLoad(1);
  }
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_.work_count, 1);
}

TEST_F(ComputeTest, ACallWhoseDeadlinePassesInTheQueueFreesItsPlaceAndIsNotComputed) {
  const Blocker blocker(service_.pool);
  EXPECT_EQ(Call(std::chrono::milliseconds(50)).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  AwaitLoad(1);  // although the thread is not free
  EXPECT_EQ(service_.work_count, 0);
}

TEST_F(ComputeTest, ACallThatArrivesAfterItsDeadlineIsNotComputed) {
  service_.late = true;
  for (const double microseconds : {1.0, 1'000.0}) {
    service_.microseconds = microseconds;
    while (service_.arrival_count == 0) {  // some may end before they arrive
      EXPECT_EQ(Call(std::chrono::milliseconds(30)).error_code(),
                grpc::StatusCode::DEADLINE_EXCEEDED);
    }
    service_.arrival_count = 0;
  }
  server_->Stop(std::chrono::seconds(60));  // returns when the calls have ended
  EXPECT_EQ(service_.work_count, 0);
}

}  // namespace
}  // namespace millrace::serving
