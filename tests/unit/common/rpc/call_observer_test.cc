#include "common/rpc/call_observer.h"

#include <memory>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "common/rpc/request_id.h"
#include "common/rpc/server.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/unit/common/rpc/echo_service.h"

namespace millrace::rpc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Permissions EchoPermissions() {
  using enum security::Permission;
  const std::string service = "inference.GRPCInferenceService/";
  return {{service + "ServerLive", kReader},
          {service + "ServerReady", kReader},
          {service + "ModelReady", kReader},
          {service + "ServerMetadata", kReader},
          {service + "ModelMetadata", kReader},
          {service + "ModelInfer", kWriter}};
}

class CallObserverTest : public testing::Test {
 protected:
  // Calls one method of a server that is gone afterwards: then all is counted.
  template <typename Call>
  void WithServer(const Call& call) {
    auto server = Server::Start({.permissions = EchoPermissions(),
                                 .metrics = &registry_,
                                 .counted_by_handlers = counted_by_handlers_},
                                {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    const auto stub = inference::GRPCInferenceService::NewStub((*server)->InProcessChannel());
    call(*stub);
    (*server)->Stop(std::chrono::seconds(0));
  }

  void Live() {
    WithServer([](inference::GRPCInferenceService::Stub& stub) {
      grpc::ClientContext context;
      SetRequestId(context, "wish-7");
      inference::ServerLiveResponse response;
      stub.ServerLive(&context, {}, &response);
    });
  }

  void Infer() {
    WithServer([](inference::GRPCInferenceService::Stub& stub) {
      grpc::ClientContext context;
      SetRequestId(context, "wish-8");
      inference::ModelInferResponse response;
      stub.ModelInfer(&context, {}, &response);
    });
  }

  std::string Text() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  prometheus::Registry registry_;
  std::set<std::string, std::less<>> counted_by_handlers_;
  EchoService service_;
};

TEST_F(CallObserverTest, CountsAndTimesCallsByMethodAndCode) {
  Live();
  service_.status = NotFound("no");
  Live();

  const std::string method = R"(method="inference.GRPCInferenceService/ServerLive")";
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr(R"(millrace_calls_total{code="OK",)" + method + "} 1"));
  EXPECT_THAT(text, HasSubstr(R"(millrace_calls_total{code="NOT_FOUND",)" + method + "} 1"));
  EXPECT_THAT(text, HasSubstr("millrace_call_seconds_count{" + method + "} 2"));
  EXPECT_THAT(text, HasSubstr("millrace_calls_in_flight{" + method + "} 0"));
}

TEST_F(CallObserverTest, CountsTheBytesThatComeAndThatItSends) {
  WithServer([](inference::GRPCInferenceService::Stub& stub) {
    for (int i = 0; i < 2; ++i) {
      grpc::ClientContext context;
      inference::ModelInferRequest request;
      request.set_id(std::string(1'000, 'x'));  // EchoService answers with it
      inference::ModelInferResponse response;
      EXPECT_TRUE(stub.ModelInfer(&context, request, &response).ok());
      EXPECT_EQ(response.id(), request.id());
    }
  });
  // The id, its tag and its length, twice.
  const std::string sum = R"({method="inference.GRPCInferenceService/ModelInfer"} 2006)";
  EXPECT_THAT(Text(),
              AllOf(HasSubstr("millrace_received_bytes_total" + sum),
                    HasSubstr("millrace_sent_bytes_total" + sum)));
}

TEST_F(CallObserverTest, CountsGrpcsOwnHealthServiceToo) {
  auto server = Server::Start({.metrics = &registry_}, {&service_});
  ASSERT_TRUE(server.ok()) << server.status();
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("inference.GRPCInferenceService");
  grpc::health::v1::HealthCheckResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(grpc::health::v1::Health::NewStub((*server)->InProcessChannel())
                  ->Check(&context, request, &response)
                  .ok());
  (*server)->Stop(std::chrono::seconds(0));

  const std::string method = R"({method="grpc.health.v1.Health/Check"})";
  EXPECT_THAT(Text(),
              AllOf(HasSubstr(fmt::format(
                        "millrace_received_bytes_total{} {}", method, request.ByteSizeLong())),
                    HasSubstr(fmt::format(
                        "millrace_sent_bytes_total{} {}", method, response.ByteSizeLong()))));
}

TEST_F(CallObserverTest, PassesOverWhatAHandlerCountsItself) {
  counted_by_handlers_ = {"inference.GRPCInferenceService/ServerLive"};
  Live();
  Infer();

  EXPECT_THAT(Text(), AllOf(HasSubstr("/ModelInfer"), Not(HasSubstr("/ServerLive"))));
}

TEST_F(CallObserverTest, WritesALineForWhatChangesSomethingAndForWhatFails) {
  log::Start("test");
  testing::internal::CaptureStderr();
  Live();  // a reader's call that succeeds: no line
  Infer();
  service_.status = NotFound("no");
  Live();
  const std::string lines = testing::internal::GetCapturedStderr();

  EXPECT_THAT(
      lines,
      AllOf(HasSubstr(R"("method":"inference.GRPCInferenceService/ModelInfer","code":"OK")"),
            HasSubstr(R"("request_id":"wish-8")"),
            HasSubstr(R"(ServerLive","code":"NOT_FOUND")"),
            Not(HasSubstr(R"(ServerLive","code":"OK")"))));
}

TEST_F(CallObserverTest, AHealthWatchThatItsClientEndsCountsAsCancelled) {
  const auto server = Server::Start({.metrics = &registry_}, {&service_});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = grpc::health::v1::Health::NewStub((*server)->InProcessChannel());
  grpc::ClientContext context;
  const auto watch = stub->Watch(&context, {});
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  (*server)->Stop(std::chrono::seconds(0));

  EXPECT_THAT(Text(),
              AllOf(HasSubstr(R"(millrace_calls_total{code="CANCELLED",)"
                              R"(method="grpc.health.v1.Health/Watch"} 1)"),
                    Not(HasSubstr("UNKNOWN"))));
}

}  // namespace
}  // namespace millrace::rpc
