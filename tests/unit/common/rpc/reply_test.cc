#include "common/rpc/reply.h"

#include <future>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "common/status/status.h"
#include "tests/unit/common/rpc/echo_service.h"

namespace millrace::rpc {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class ReplyTest : public testing::Test {
 protected:
  grpc::Status Call() {
    const auto server = Server::Start({}, {&service_});
    const auto stub = inference::GRPCInferenceService::NewStub((*server)->InProcessChannel());
    grpc::ClientContext context;
    inference::ServerLiveResponse response;
    return stub->ServerLive(&context, {}, &response);
  }

  EchoService service_;
};

TEST_F(ReplyTest, EndsTheCallWithTheCodeTheMessageAndTheFix) {
  service_.status = WithFix(NotFound("no model called {}", "wdbc"), "millrace model ls");

  const grpc::Status status = Call();

  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no model called wdbc");
  EXPECT_EQ(Fix(FromGrpcStatus(status)), "millrace model ls");
}

TEST_F(ReplyTest, CutsALongErrorTextAtOneKibibyteAndKeepsCodeAndFix) {
  service_.status = WithFix(InvalidArgument("{}", std::string(9'000, 'x')), "send less");

  const grpc::Status status = Call();

  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), SizeIs(1024));
  EXPECT_THAT(status.error_message(), HasSubstr("xxx..."));
  EXPECT_EQ(Fix(FromGrpcStatus(status)), "send less");
}

// Answers ServerReady from a pool of no room but for what runs.
class PooledService final : public inference::GRPCInferenceService::CallbackService {
 public:
  absl::Status status = absl::OkStatus();
  Pool pool{1, 1};

  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* /*request*/,
                                        inference::ServerReadyResponse* response) override {
    return ReplyFrom(
        pool, *context, *response, [this]() -> absl::StatusOr<inference::ServerReadyResponse> {
          inference::ServerReadyResponse answer;
          answer.set_ready(true);
          return status.ok() ? absl::StatusOr<inference::ServerReadyResponse>(answer) : status;
        });
  }
};

class ReplyFromTest : public testing::Test {
 protected:
  grpc::Status Call(inference::ServerReadyResponse& response) {
    const auto server = Server::Start({}, {&service_});
    const auto stub = inference::GRPCInferenceService::NewStub((*server)->InProcessChannel());
    grpc::ClientContext context;
    return stub->ServerReady(&context, {}, &response);
  }

  PooledService service_;
};

TEST_F(ReplyFromTest, EndsTheCallWithWhatTheWorkGives) {
  inference::ServerReadyResponse response;

  EXPECT_TRUE(Call(response).ok());
  EXPECT_TRUE(response.ready());
}

TEST_F(ReplyFromTest, EndsTheCallWithTheErrorOfTheWork) {
  service_.status = NotFound("no such thing");
  inference::ServerReadyResponse response;

  const grpc::Status status = Call(response);

  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no such thing");
}

TEST_F(ReplyFromTest, EndsTheCallAtOnceWhenThePoolIsFull) {
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  std::promise<void> running;
  ASSERT_TRUE(service_.pool
                  .Submit([&] {
                    running.set_value();
                    opened.wait();
                  })
                  .ok());
  running.get_future().wait();
  ASSERT_TRUE(service_.pool.Submit([] {}).ok());
  inference::ServerReadyResponse response;

  EXPECT_EQ(Call(response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  gate.set_value();
}

}  // namespace
}  // namespace millrace::rpc
