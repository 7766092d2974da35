#include "common/rpc/method_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/open_inference_grpc.pb.h"

namespace millrace::rpc {
namespace {

using testing::Contains;
using testing::IsEmpty;

class MethodNameTest : public testing::Test {
 protected:
  const std::string service_ =
      inference::ModelInferRequest::descriptor()->file()->service(0)->full_name();
};

TEST_F(MethodNameTest, APathIsAMethodBehindASlash) {
  EXPECT_EQ(MethodOf("/a.S/M"), "a.S/M");
  EXPECT_EQ(MethodOf("a.S/M"), "a.S/M");
  EXPECT_EQ(MethodOf(""), "");
}

TEST_F(MethodNameTest, AMethodIsOneOfTheServicesThatAreServed) {
  EXPECT_TRUE(IsMethod({service_}, service_ + "/ModelInfer"));
  EXPECT_FALSE(IsMethod({service_}, service_ + "/ModelConfig"));
  EXPECT_FALSE(IsMethod({}, service_ + "/ModelInfer"));
  for (const std::string& odd :
       {std::string(), std::string("/"), service_, service_ + "/", service_ + "/a/b"}) {
    EXPECT_FALSE(IsMethod({service_}, odd)) << odd;
  }
}

TEST_F(MethodNameTest, KnowsTheMethodsOfAServiceAndWhatTheyTake) {
  EXPECT_THAT(MethodsOf(service_), Contains("ModelInfer"));
  EXPECT_THAT(MethodsOf("no.Such"), IsEmpty());
  EXPECT_EQ(RequestOf(service_ + "/ModelInfer"), "inference.ModelInferRequest");
  EXPECT_EQ(RequestOf("no.Such/Method"), "");
}

}  // namespace
}  // namespace millrace::rpc
