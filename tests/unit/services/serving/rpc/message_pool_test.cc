#include "services/serving/rpc/message_pool.h"

#include <gtest/gtest.h>

#include "inference/open_inference_grpc.pb.h"

namespace millrace::serving {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;

TEST(MessagePoolTest, ARequestBeginsEmptyAndAResponseAsItWasLeft) {
  MessagePool<ModelInferRequest, ModelInferResponse> pool;
  auto* first = pool.AllocateMessages();
  first->request()->set_id(std::string(1'000, 'x'));
  first->response()->set_id("kept");
  const ModelInferResponse* const response = first->response();
  first->Release();

  auto* const second = pool.AllocateMessages();

  EXPECT_EQ(second->request()->id(), "");
  ASSERT_EQ(second->response(), response) << "the same pair is used again";
  EXPECT_EQ(second->response()->id(), "kept");
  second->Release();
}

TEST(MessagePoolTest, CallsAtTheSameTimeHaveMessagesOfTheirOwn) {
  MessagePool<ModelInferRequest, ModelInferResponse> pool;
  auto* const first = pool.AllocateMessages();
  auto* const second = pool.AllocateMessages();

  EXPECT_NE(first->request(), second->request());
  EXPECT_NE(first->response(), second->response());
  first->Release();
  second->Release();
}

TEST(MessagePoolTest, ALargeResponseIsNotKept) {
  MessagePool<ModelInferRequest, ModelInferResponse> pool;
  auto* const first = pool.AllocateMessages();
  first->response()->set_id(std::string(100'000, 'x'));
  EXPECT_GT(first->response()->ByteSizeLong(), 100'000U);  // as sending it does
  first->Release();

  auto* const second = pool.AllocateMessages();

  EXPECT_EQ(second->response()->id(), "");
  second->Release();
}

}  // namespace
}  // namespace millrace::serving
