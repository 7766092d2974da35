#include "common/rpc/request_id.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "inference/open_inference_grpc.grpc.pb.h"

namespace millrace::rpc {
namespace {

// Answers with the request id of the call as its name.
class NamingService final : public inference::GRPCInferenceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* /*request*/,
                                           inference::ServerMetadataResponse* response) override {
    response->set_name(RequestId(*context));
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class RequestIdTest : public testing::Test {
 protected:
  std::string Received(const std::string& sent) {
    grpc::ClientContext context;
    SetRequestId(context, sent);
    inference::ServerMetadataResponse response;
    EXPECT_TRUE(stub_->ServerMetadata(&context, {}, &response).ok());
    return response.name();
  }

  NamingService service_;
  std::unique_ptr<Server> server_ = *Server::Start({}, {&service_});
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_ =
      inference::GRPCInferenceService::NewStub(server_->InProcessChannel());
};

TEST_F(RequestIdTest, TravelsFromCallerToCallee) {
  EXPECT_EQ(Received("a-1_b.C"), "a-1_b.C");
  EXPECT_EQ(Received(""), "");
}

TEST_F(RequestIdTest, OneThatCouldBreakALogIsPassedOver) {
  EXPECT_EQ(Received("a b"), "");
  EXPECT_EQ(Received(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(Received(std::string(65, 'x')), "");
}

TEST_F(RequestIdTest, NewOnesAreValidAndDiffer) {
  const std::string id = NewRequestId();
  EXPECT_EQ(id.size(), 16U);
  EXPECT_TRUE(IsRequestId(id));
  EXPECT_NE(id, NewRequestId());
}

}  // namespace
}  // namespace millrace::rpc
