#include "common/rpc/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "common/status/status.h"
#include "tests/unit/common/rpc/echo_service.h"

namespace millrace::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

TEST(ProbeTest, IsOkForAServerThatServesAndSaysWhyForOneThatDoesNot) {
  const auto server = Server::Start({}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = "127.0.0.1:" + std::to_string((*server)->port());

  EXPECT_TRUE(Probe(address, seconds(10)).ok());

  (*server)->SetServing(false);
  const absl::Status status = Probe(address, seconds(10));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("not serving"));
}

TEST(ProbeTest, EndsAtItsDeadlineWhereNobodyListens) {
  std::string address;
  {
    const auto server = Server::Start({}, {});
    ASSERT_TRUE(server.ok()) << server.status();
    address = "127.0.0.1:" + std::to_string((*server)->port());
  }

  const absl::Status status = Probe(address, milliseconds(50));

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(address + " does not answer"));
}

TEST(SetDeadlineTest, EndsACallThatIsNeverAnswered) {
  EchoService service;
  const auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = inference::GRPCInferenceService::NewStub(
      MakeChannel("127.0.0.1:" + std::to_string((*server)->port())));
  grpc::ClientContext context;
  SetDeadline(context, milliseconds(100));
  inference::ModelReadyResponse response;

  EXPECT_EQ(stub->ModelReady(&context, {}, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace millrace::rpc
