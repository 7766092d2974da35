#include "common/rpc/parse_check.h"

#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/method_name.h"
#include "common/rpc/server.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "tests/unit/common/rpc/echo_service.h"
#include "tests/unit/common/rpc/raw_call.h"

namespace millrace::rpc {
namespace {

using testing::HasSubstr;

constexpr const char* kService = "inference.GRPCInferenceService";

TEST(ParseCheckTest, EveryMethodSaysThatARequestCannotBeParsedAndAsWhat) {
  EchoService service;
  const auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();

  for (const std::string& method : MethodsOf(kService)) {
    const std::string path = std::string(kService) + "/" + method;
    const grpc::Status status = RawCall((*server)->InProcessChannel(), path, "\xff\xff");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << method;
    EXPECT_EQ(status.error_message(), "the request cannot be parsed as " + RequestOf(path));
    EXPECT_THAT(Fix(FromGrpcStatus(status)), HasSubstr(".proto")) << method;
  }
}

TEST(ParseCheckTest, ARequestThatCanBeParsedIsLeftAlone) {
  EchoService service;
  service.status = NotFound("no");
  const auto server = Server::Start({}, {&service});
  const grpc::Status status =
      RawCall((*server)->InProcessChannel(), std::string(kService) + "/ServerLive");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no");
}

TEST(ParseCheckTest, AHandlerThatThrowsIsAnErrorAndNotAMethodThatIsNotThere) {
  class Throws final : public inference::GRPCInferenceService::CallbackService {
   public:
    grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* /*context*/,
                                         const inference::ServerLiveRequest* /*request*/,
                                         inference::ServerLiveResponse* /*response*/) override {
      throw std::runtime_error("CANARY");
    }
  };

  Throws service;
  const auto server = Server::Start({}, {&service});
  const grpc::Status status =
      RawCall((*server)->InProcessChannel(), std::string(kService) + "/ServerLive");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);  // gRPC's own answer
  EXPECT_EQ(status.error_message(),
            "the service has no answer to this call: it does not know it, or failed at it");
}

}  // namespace
}  // namespace millrace::rpc
