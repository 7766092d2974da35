// What a server bounds about connections and the calls on them.

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/unit/common/rpc/echo_service.h"

namespace millrace::rpc {
namespace {

using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Far below the defaults, far above the limits of the tests.
constexpr seconds kSoon{4};

class ConnectionLimitsTest : public testing::Test {
 protected:
  void Start() {
    server_ = Server::Start({.limits = limits_}, {&service_}).value();
    channel_ = MakeChannel("127.0.0.1:" + std::to_string(server_->port()));
    health_ = ::grpc::health::v1::Health::NewStub(channel_);
  }

  grpc::Status Check(milliseconds timeout = seconds(10)) {
    grpc::ClientContext context;
    SetDeadline(context, timeout);
    HealthCheckResponse response;
    return health_->Check(&context, HealthCheckRequest(), &response);
  }

  config::v1::ServerLimits limits_ = DefaultServerLimits();
  EchoService service_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<::grpc::health::v1::Health::Stub> health_;
};

// A call that goes on until this goes.
class OpenWatch {
 public:
  explicit OpenWatch(::grpc::health::v1::Health::Stub& stub)
      : reader_(stub.Watch(&context_, HealthCheckRequest())) {
    HealthCheckResponse response;
    EXPECT_TRUE(reader_->Read(&response));
  }

  ~OpenWatch() {
    if (reader_ != nullptr) {
      context_.TryCancel();
      AwaitEnd();
    }
  }

  OpenWatch(const OpenWatch&) = delete;
  OpenWatch& operator=(const OpenWatch&) = delete;

  grpc::Status AwaitEnd() {
    HealthCheckResponse response;
    while (reader_->Read(&response)) {
    }
    return std::exchange(reader_, nullptr)->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

TEST_F(ConnectionLimitsTest, TheCallAfterTheLastOfAConnectionWaits) {
  limits_.set_streams_max(3);
  Start();
  const OpenWatch first(*health_);
  EXPECT_TRUE(Check().ok());  // one below
  auto second = std::make_unique<OpenWatch>(*health_);
  EXPECT_TRUE(Check().ok());  // at the limit

  auto third = std::make_unique<OpenWatch>(*health_);
  EXPECT_EQ(Check(milliseconds(200)).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);

  third.reset();
  EXPECT_TRUE(Check().ok());
}

TEST_F(ConnectionLimitsTest, AConnectionThatSaysNothingIsClosed) {
  limits_.set_handshake_seconds_max(1);
  Start();
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

  // What the server says first comes before its end.
  const auto deadline = std::chrono::steady_clock::now() + kSoon;
  ssize_t received = 1;
  while (received > 0 && std::chrono::steady_clock::now() < deadline) {
    pollfd readable{.fd = client, .events = POLLIN, .revents = 0};
    ASSERT_GE(poll(&readable, 1, static_cast<int>(milliseconds(kSoon).count())), 0);
    char byte = 0;
    received = recv(client, &byte, 1, MSG_DONTWAIT);
  }
  EXPECT_EQ(received, 0);
  close(client);
}

TEST_F(ConnectionLimitsTest, AConnectionWithoutCallsIsClosed) {
  limits_.set_connection_idle_seconds_max(1);
  Start();
  ASSERT_TRUE(Check().ok());

  EXPECT_TRUE(
      channel_->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + kSoon));
  EXPECT_TRUE(Check().ok());  // on a new one
}

TEST_F(ConnectionLimitsTest, AnOldConnectionIsGivenUpAndItsCallsEndAfterTheGrace) {
  limits_.set_connection_age_seconds_max(1);
  limits_.set_connection_grace_seconds_max(1);
  Start();
  OpenWatch watch(*health_);

  EXPECT_EQ(watch.AwaitEnd().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Check().ok());
}

}  // namespace
}  // namespace millrace::rpc
