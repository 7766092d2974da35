#include "common/rpc/reply.h"

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

}  // namespace
}  // namespace millrace::rpc
