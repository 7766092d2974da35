#include "services/serving/rpc/compute.h"

#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "inference/open_inference_grpc.grpc.pb.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;

// Computes as it is told to.
class ComputingService final : public inference::GRPCInferenceService::CallbackService {
 public:
  double microseconds = 0;
  rpc::Pool pool{1, 1};
  std::thread::id arrived;
  std::thread::id worked;
  std::atomic<int> work_count = 0;

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* /*request*/,
                                       inference::ServerLiveResponse* /*response*/) override {
    arrived = std::this_thread::get_id();
    return Compute(*context, pool, microseconds, [this] {
      worked = std::this_thread::get_id();
      ++work_count;
      return absl::OkStatus();
    });
  }
};

class ComputeTest : public testing::Test {
 protected:
  grpc::Status Call(std::chrono::milliseconds timeout = std::chrono::seconds(60)) {
    grpc::ClientContext context;
    rpc::SetDeadline(context, timeout);
    inference::ServerLiveResponse response;
    return stub_->ServerLive(&context, {}, &response);
  }

  ComputingService service_;
  std::unique_ptr<rpc::Server> server_ = *rpc::Server::Start({}, {&service_});
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_ =
      inference::GRPCInferenceService::NewStub(server_->InProcessChannel());
};

// Keeps the only thread of the pool until released.
class Blocker {
 public:
  explicit Blocker(rpc::Pool& pool) {
    std::promise<void> began;
    EXPECT_TRUE(pool.Submit([this, &began] {
                      began.set_value();
                      release_.get_future().wait();
                    })
                    .ok());
    began.get_future().wait();
  }

  void Release() { release_.set_value(); }

 private:
  std::promise<void> release_;
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

TEST_F(ComputeTest, AFullQueueAnswersAtOnceAndShortWorkDoesNotOvertake) {
  Blocker blocker(service_.pool);
  ASSERT_TRUE(service_.pool.Submit([] {}).ok());  // the one place in the queue

  const grpc::Status status = Call();

  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the queue is full"));
  blocker.Release();
}

TEST_F(ComputeTest, WorkThatNobodyWaitsForAnyMoreIsNotDone) {
  service_.microseconds = 1'000;
  {
    Blocker blocker(service_.pool);
    EXPECT_EQ(Call(std::chrono::milliseconds(30)).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
    blocker.Release();
    server_->Stop(std::chrono::seconds(60));  // returns when the call has ended
  }

  EXPECT_EQ(service_.work_count, 0);
}

}  // namespace
}  // namespace millrace::serving
