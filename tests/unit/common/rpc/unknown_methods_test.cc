#include "common/rpc/unknown_methods.h"

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "common/rpc/server.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "tests/unit/common/rpc/echo_service.h"
#include "tests/unit/common/rpc/raw_call.h"

namespace millrace::rpc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kInference = "inference.GRPCInferenceService";

std::string TextOf(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  return std::string(Message(status));
}

TEST(NoSuchMethodTest, SaysWhichMethodsAServiceHas) {
  EXPECT_THAT(TextOf(NoSuchMethod({kInference}, "inference.GRPCInferenceService/ModelConfig")),
              AllOf(HasSubstr("inference.GRPCInferenceService/ModelConfig is no method of this "
                              "service; it has: "),
                    HasSubstr("ModelMetadata, ModelInfer")));
}

TEST(NoSuchMethodTest, SaysWhoseServiceItIsAndWhereThatListens) {
  const absl::Status status = NoSuchMethod({"grpc.health.v1.Health", kInference},
                                           "millrace.data.v1.DataService/ListDatasets");
  EXPECT_EQ(TextOf(status),
            "millrace.data.v1.DataService is not served here: this is the serving service, which "
            "has inference.GRPCInferenceService");
  EXPECT_THAT(Fix(status),
              AllOf(HasSubstr("ask the data service"),
                    HasSubstr("127.0.0.1:7601"),
                    HasSubstr("--data-address, MILLRACE_DATA_ADDRESS")));
}

TEST(NoSuchMethodTest, IsBoundedAndPrintableWhateverTheMethodIsCalled) {
  for (const std::string& service :
       {std::string(5'000, 'x'), std::string("a\x1b[31m\x80"), std::string(), std::string("/")}) {
    const std::string text = TextOf(NoSuchMethod({kInference}, fmt::format("{0}/{0}", service)));
    EXPECT_LE(text.size(), 1'000U);
    EXPECT_EQ(std::count_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }),
              0);
  }
  EXPECT_LE(
      TextOf(NoSuchMethod({kInference}, std::string(kInference) + "/" + std::string(9'000, 'x')))
          .size(),
      1'000U);
}

TEST(UnknownMethodsTest, AnswersCallsAndCountsThemAsOne) {
  EchoService service;
  prometheus::Registry registry;
  const auto server = Server::Start({.metrics = &registry}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = (*server)->InProcessChannel();
  for (int i = 0; i < 100; ++i) {
    const std::string made_up = fmt::format("a{}.Service/Method", i);
    const grpc::Status status = RawCall(channel, made_up, "whatever");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_THAT(status.error_message(), HasSubstr("is not served here"));
  }
  const grpc::Status status = RawCall(channel, "inference.GRPCInferenceService/RepositoryIndex");
  EXPECT_THAT(status.error_message(), HasSubstr("it has: "));
  (*server)->Stop(std::chrono::seconds(0));

  const std::string text = prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_THAT(text, HasSubstr(R"(millrace_calls_total{code="UNIMPLEMENTED",method="other"} 101)"));
  EXPECT_THAT(text, Not(HasSubstr("RepositoryIndex")));
}

}  // namespace
}  // namespace millrace::rpc
