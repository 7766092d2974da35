#include "services/serving/rpc/message_pool.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "inference/open_inference_grpc.pb.h"

namespace millrace::serving {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;

class MessagePoolTest : public testing::Test {
 protected:
  prometheus::Registry registry_;
  rpc::CallMetrics calls_{registry_, "a.Service/Method", /*changes=*/false};
  MessagePool<ModelInferRequest, ModelInferResponse> pool_{calls_};
};

TEST_F(MessagePoolTest, ARequestBeginsEmptyAndAResponseAsItWasLeft) {
  auto* first = pool_.AllocateMessages();
  first->request()->set_id(std::string(1'000, 'x'));
  first->response()->set_id("kept");
  const ModelInferResponse* const response = first->response();
  first->Release();

  auto* const second = pool_.AllocateMessages();

  EXPECT_EQ(second->request()->id(), "");
  ASSERT_EQ(second->response(), response) << "the same pair is used again";
  EXPECT_EQ(second->response()->id(), "kept");
  second->Release();
}

TEST_F(MessagePoolTest, CallsAtTheSameTimeHaveMessagesOfTheirOwn) {
  auto* const first = pool_.AllocateMessages();
  auto* const second = pool_.AllocateMessages();

  EXPECT_NE(first->request(), second->request());
  EXPECT_NE(first->response(), second->response());
  first->Release();
  second->Release();
}

TEST_F(MessagePoolTest, ALargeResponseIsNotKept) {
  auto* const first = pool_.AllocateMessages();
  first->response()->set_id(std::string(100'000, 'x'));
  EXPECT_GT(first->response()->ByteSizeLong(), 100'000U);  // as sending it does
  first->Release();

  auto* const second = pool_.AllocateMessages();

  EXPECT_EQ(second->response()->id(), "");
  second->Release();
}

}  // namespace
}  // namespace millrace::serving
