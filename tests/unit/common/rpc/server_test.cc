#include "common/rpc/server.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/rpc/channel.h"
#include "common/rpc/self_probe.h"
#include "common/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "tests/unit/common/rpc/client_socket.h"
#include "tests/unit/common/rpc/echo_service.h"

namespace millrace::rpc {
namespace {

using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using Health = ::grpc::health::v1::HealthCheckResponse;

// A server on a free port of the loopback, and a client of it.
class ServerTest : public testing::Test {
 protected:
  ServerTest()
      : server_(Server::Start(options_, {&service_})),
        channel_(MakeChannel("127.0.0.1:" + std::to_string((*server_)->port()))),
        stub_(inference::GRPCInferenceService::NewStub(channel_)) {}

  grpc::Status Infer(grpc::ClientContext& context, std::size_t id_bytes) {
    SetDeadline(context, seconds(10));
    inference::ModelInferRequest request;
    request.set_id(std::string(id_bytes, 'x'));
    inference::ModelInferResponse response;
    return stub_->ModelInfer(&context, request, &response);
  }

  static config::v1::ServerLimits Limits() {
    config::v1::ServerLimits limits = DefaultServerLimits();
    limits.set_message_bytes_max(100'000);
    return limits;
  }

  Health::ServingStatus Check(const std::string& service) {
    grpc::ClientContext context;
    SetDeadline(context, seconds(10));
    ::grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    Health response;
    const auto stub = ::grpc::health::v1::Health::NewStub(channel_);
    EXPECT_TRUE(stub->Check(&context, request, &response).ok()) << service;
    return response.status();
  }

  ServerOptions options_{.limits = Limits()};
  EchoService service_;
  absl::StatusOr<std::unique_ptr<Server>> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

TEST_F(ServerTest, TakesAMessageUpToItsLimitAndRefusesALargerOne) {
  // A message is 4 bytes of tag and length longer than its id.
  grpc::ClientContext below;
  EXPECT_TRUE(Infer(below, 99'995).ok());
  grpc::ClientContext at;
  EXPECT_TRUE(Infer(at, 99'996).ok());
  grpc::ClientContext above;
  const grpc::Status status = Infer(above, 99'997);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("100001 vs. 100000"));
}

TEST_F(ServerTest, RefusesCompressedMessages) {
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    EXPECT_EQ(Infer(context, 1'000).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
}

TEST_F(ServerTest, HealthAnswersForEachServiceAndFlips) {
  for (const std::string service : {"", "inference.GRPCInferenceService"}) {
    (*server_)->SetServing(true);
    EXPECT_EQ(Check(service), Health::SERVING) << service;
    (*server_)->SetServing(false);
    EXPECT_EQ(Check(service), Health::NOT_SERVING) << service;
  }
}

TEST_F(ServerTest, HealthDoesNotKnowAServiceThatIsNotThere) {
  grpc::ClientContext context;
  ::grpc::health::v1::HealthCheckRequest request;
  request.set_service("millrace.NoSuchService");
  Health response;
  EXPECT_EQ(::grpc::health::v1::Health::NewStub(channel_)
                ->Check(&context, request, &response)
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
}

std::int64_t ThreadCount() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

TEST_F(ServerTest, IdleHealthAndReflectionStreamsTakeNoThreadEach) {
  const auto health = ::grpc::health::v1::Health::NewStub(channel_);
  const auto reflection = ::grpc::reflection::v1::ServerReflection::NewStub(channel_);
  ASSERT_EQ(Check(""), Health::SERVING);
  const std::int64_t before = ThreadCount();

  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<Health>>> watches;
  std::vector<
      std::unique_ptr<grpc::ClientReaderWriter<::grpc::reflection::v1::ServerReflectionRequest,
                                               ::grpc::reflection::v1::ServerReflectionResponse>>>
      questions;
  for (int i = 0; i < 40; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watches.push_back(health->Watch(contexts.back().get(), {}));
    Health first;
    ASSERT_TRUE(watches.back()->Read(&first));
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    questions.push_back(reflection->ServerReflectionInfo(contexts.back().get()));
    ::grpc::reflection::v1::ServerReflectionRequest request;
    request.set_list_services("*");
    ::grpc::reflection::v1::ServerReflectionResponse response;
    ASSERT_TRUE(questions.back()->Write(request));
    ASSERT_TRUE(questions.back()->Read(&response));
  }

  EXPECT_LT(ThreadCount(), before + 20) << "80 streams are open";
  for (const auto& context : contexts) {
    context->TryCancel();
  }
}

TEST_F(ServerTest, StopCancelsAHandlerThatOutlivesTheDrain) {
  grpc::Status status;
  std::thread client([&] {
    grpc::ClientContext context;
    SetDeadline(context, seconds(60));
    inference::ModelReadyResponse response;
    status = stub_->ModelReady(&context, {}, &response);
  });
  service_.waiting.get_future().wait();

  (*server_)->Stop(milliseconds(20));
  (*server_)->Stop(milliseconds(20));  // again does nothing
  client.join();

  EXPECT_TRUE(status.error_code() == grpc::StatusCode::CANCELLED ||
              status.error_code() == grpc::StatusCode::UNAVAILABLE)
      << status.error_code();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(10));
  inference::ServerLiveResponse response;
  EXPECT_EQ(stub_->ServerLive(&context, {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, ASecondServerOnThePortIsRefused) {
  const std::string address = "127.0.0.1:" + std::to_string((*server_)->port());

  const auto second = Server::Start({.address = address}, {});

  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(second.status())), HasSubstr("cannot listen on " + address));
}

TEST(ServerStartTest, RefusesAPublicAddressUnlessItIsSaidAloud) {
  for (const std::string address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "127.0.0.1.example:0"}) {
    const auto server = Server::Start({.address = address}, {});
    ASSERT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition) << address;
    EXPECT_THAT(std::string(Message(server.status())), HasSubstr("plain text"));
    EXPECT_THAT(Fix(server.status()), HasSubstr("--insecure"));
  }
  EchoService service;
  EXPECT_TRUE(Server::Start({.address = "0.0.0.0:0", .insecure = true}, {&service}).ok());
}

TEST(ServerStartTest, TakesEveryFormOfTheLoopback) {
  for (const std::string address : {"127.0.0.1:0", "127.9.9.9:0", "localhost:0"}) {
    EXPECT_TRUE(Server::Start({.address = address}, {}).ok()) << address;
  }
}

TEST(ServerStartTest, RefusesAnAddressWithoutAPort) {
  for (const std::string address : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "::1"}) {
    const auto server = Server::Start({.address = address}, {});
    EXPECT_FALSE(server.ok()) << address;
  }
  const auto server = Server::Start({.address = "127.0.0.1"}, {});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(server.status())),
              HasSubstr("address must be host:port, found '127.0.0.1'"));
}

grpc::StatusCode ReflectionOf(const Server& server) {
  const auto stub = ::grpc::reflection::v1::ServerReflection::NewStub(
      MakeChannel("127.0.0.1:" + std::to_string(server.port())));
  grpc::ClientContext context;
  SetDeadline(context, seconds(10));
  const auto stream = stub->ServerReflectionInfo(&context);
  stream->WritesDone();
  return stream->Finish().error_code();
}

TEST(ServerStartTest, ReflectionAnswersOffLoopbackOnlyWhereConfigured) {
  EchoService service;
  const auto closed = Server::Start({.address = "0.0.0.0:0", .insecure = true}, {&service});
  const auto open =
      Server::Start({.address = "0.0.0.0:0", .insecure = true, .reflection = true}, {&service});

  EXPECT_EQ(ReflectionOf(**closed), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ReflectionOf(**open), grpc::StatusCode::OK);
}

// A client of one connection that pings without a call. Whether each was answered, and no GOAWAY
// came.
bool TakesPings(int port, int count) {
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  constexpr std::size_t kHead = 9;
  const std::string settings("\0\0\0\4\0\0\0\0\0", kHead);
  const std::string ping = std::string("\0\0\x8\6\0\0\0\0\0", kHead) + "12345678";
  std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + ping;
  std::string in;
  int answered = 0;
  bool going = true;
  while (going && answered < count) {
    EXPECT_EQ(send(client, out.data(), out.size(), MSG_NOSIGNAL), static_cast<ssize_t>(out.size()));
    out.clear();
    std::array<char, 4'096> buffer{};
    const ssize_t size = recv(client, buffer.data(), buffer.size(), 0);
    going = size > 0;
    in.append(buffer.data(), going ? static_cast<std::size_t>(size) : 0);
    while (in.size() >= kHead) {
      const std::size_t bytes =
          kHead + static_cast<unsigned char>(in[2]) + 256U * static_cast<unsigned char>(in[1]);
      if (in.size() < bytes) {
        break;
      }
      if (in[3] == 6 && in[4] == 1) {  // an answered ping
        ++answered;
        out += ping;
      }
      going = going && in[3] != 7;  // GOAWAY
      in.erase(0, bytes);
    }
  }
  close(client);
  return answered == count;
}

TEST(KeepaliveTest, AClientMayPingWithoutACall) {
  EchoService service;
  const auto server = Server::Start({.ping_interval_min = milliseconds(0)}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(TakesPings((*server)->port(), 50));
}

TEST(KeepaliveTest, AClientThatPingsMoreOftenThanTheLeastIntervalIsSentAway) {
  EchoService service;
  const auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_FALSE(TakesPings((*server)->port(), 50));
  EXPECT_LT(ServerOptions().ping_interval_min, seconds(10)) << "the least that Go's clients take";
}

TEST(StopSignalTest, WaitReturnsWhenTheProcessIsAskedToStop) {
  std::thread waiter([] {
    BlockStopSignals();
    ASSERT_EQ(pthread_kill(pthread_self(), SIGTERM), 0);
    WaitForStopSignal();
  });
  waiter.join();
}

// Far below the defaults, far above the limits of the tests.
constexpr seconds kSoon{4};

class ServerLimitsTest : public testing::Test {
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

TEST_F(ServerLimitsTest, TheConnectionAfterTheLastIsClosedAtOnceAndOthersGoOn) {
  limits_.set_connections_max(4);
  limits_.set_connections_of_address_max(3);
  Start();
  EXPECT_TRUE(Check().ok());  // the first
  const ClientSocket second(server_->port());
  const ClientSocket third(server_->port());
  EXPECT_NE(third.Read(), "") << "a server's greeting";
  EXPECT_EQ(ClientSocket(server_->port()).Read(), "") << "the fourth of one address";
  const ClientSocket other(server_->port(), "127.0.0.2");
  EXPECT_NE(other.Read(), "");
  EXPECT_EQ(ClientSocket(server_->port(), "127.0.0.3").Read(), "") << "the fifth of all";
  EXPECT_EQ(server_->refused_connections(), 2);
  EXPECT_TRUE(Check().ok());
}

TEST_F(ServerLimitsTest, IdleConnectionsNeitherUseUpTheDescriptorsNorEndTheService) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few = {.rlim_cur = 1'024, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  Start();  // 768 connections, 384 of them of one address
  std::string gave_up;
  const auto probe = SelfProbe::Start(
      "127.0.0.1:" + std::to_string(server_->port()),
      {},
      {.interval = milliseconds(1),
       .failures_max = 1,
       .refused = [this] { return server_->refused_connections(); },
       .give_up = [&gave_up](const absl::Status& last) { gave_up = Message(last); }});
  ASSERT_TRUE(probe.ok()) << probe.status();
  std::vector<ClientSocket> idle;
  for (int i = 0; i < 420; ++i) {
    idle.emplace_back(server_->port());
  }
  EXPECT_EQ(idle.back().Read(), "");
  const ClientSocket other(server_->port(), "127.0.0.2");
  EXPECT_NE(other.Read(), "") << "somebody else is served";
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(gave_up, "");
}

TEST_F(ServerLimitsTest, ACallWithMoreMetadataThanTheLimitIsRefusedAndOthersGoOn) {
  limits_.set_metadata_bytes_max(8'192);
  Start();
  const auto check = [this](std::size_t bytes) {
    grpc::ClientContext context;
    SetDeadline(context, seconds(10));
    context.AddMetadata("x-large", std::string(bytes, 'x'));
    HealthCheckResponse response;
    return health_->Check(&context, HealthCheckRequest(), &response).error_code();
  };
  EXPECT_EQ(check(7'000), grpc::StatusCode::OK);
  EXPECT_EQ(check(9'000), grpc::StatusCode::RESOURCE_EXHAUSTED);
  grpc::StatusCode after = grpc::StatusCode::UNAVAILABLE;
  while (after == grpc::StatusCode::UNAVAILABLE) {  // gRPC 1.51 may give up the connection
    after = check(7'000);
  }
  EXPECT_EQ(after, grpc::StatusCode::OK);
}

TEST_F(ServerLimitsTest, TheCallAfterTheLastOfAConnectionWaits) {
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

TEST_F(ServerLimitsTest, AConnectionThatSaysNothingIsClosed) {
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

TEST_F(ServerLimitsTest, AConnectionWithoutCallsIsClosed) {
  limits_.set_connection_idle_seconds_max(1);
  Start();
  ASSERT_TRUE(Check().ok());

  EXPECT_TRUE(
      channel_->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + kSoon));
  EXPECT_TRUE(Check().ok());  // on a new one
}

TEST_F(ServerLimitsTest, AnOldConnectionIsGivenUpAndItsCallsEndAfterTheGrace) {
  limits_.set_connection_age_seconds_max(1);
  limits_.set_connection_grace_seconds_max(1);
  Start();
  OpenWatch watch(*health_);

  EXPECT_EQ(watch.AwaitEnd().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Check().ok());
}

}  // namespace
}  // namespace millrace::rpc
