#include "common/rpc/transport.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/unit/common/rpc/secured.h"

namespace millrace::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class TransportTest : public SecuredTest {
 protected:
  void ExpectRefused(const ChannelOptions& options, const std::string& host = "localhost") const {
    EXPECT_EQ(Call(options, host).status.error_code(), grpc::StatusCode::UNAVAILABLE);
  }

  // A client that shows `pem` and trusts the right authority.
  ChannelOptions Showing(const security::Pem& pem) { return {.tls = Write("shown", pem)}; }
};

TEST_F(TransportTest, ServesOnEveryAddressWithoutBeingCalledInsecure) {
  Start({.address = "0.0.0.0:0", .tls = server_tls_});
  EXPECT_TRUE(Call({.tls = client_tls_}).status.ok());
  EXPECT_TRUE(Call({.tls = client_tls_}, "127.0.0.1").status.ok());
  EXPECT_TRUE(
      Probe("0.0.0.0:" + std::to_string(server_->port()), seconds(20), {.tls = client_tls_}).ok());
}

TEST_F(TransportTest, RefusesEveryClientButOneWithAValidCertificateOfItsAuthority) {
  Start({.tls = server_tls_});
  ASSERT_TRUE(Call({.tls = client_tls_}).status.ok());

  ChannelOptions none{.tls = client_tls_};
  none.tls.clear_certificate();
  none.tls.clear_key();
  ExpectRefused(none);
  ExpectRefused({});  // plain text
  ExpectRefused(Showing(security::CertificateMaker("foreign").Make()));
  // The same name, but another key: an authority that only calls itself so.
  ExpectRefused(Showing(security::CertificateMaker("authority").Make()));
}

TEST_F(TransportTest, AClientRefusesAServerOfAnotherAuthorityOrName) {
  Start({.tls = server_tls_});
  ChannelOptions other{.tls = client_tls_};
  other.tls.set_authority(
      security::WriteFile(Path("other.pem"), security::CertificateMaker("other").authority()));
  ExpectRefused(other);

  Start({.tls = Write("wrong", maker_.Make({.alternative = "DNS:elsewhere.example"}))});
  ExpectRefused({.tls = client_tls_});
  ExpectRefused({.tls = client_tls_}, "127.0.0.1");
}

TEST_F(TransportTest, AServerDoesNotStartWithACertificateThatCannotBeUsed) {
  const security::Pem expired = maker_.Make({.ends_seconds = -60});
  const security::Pem mismatched{.certificate = maker_.Make().certificate,
                                 .key = maker_.Make().key};
  for (const auto& [pem, phrase] : {std::pair{expired, "has expired"},
                                    std::pair{mismatched, "the private key is not the one"}}) {
    const auto server = Server::Start({.tls = Write("bad", pem)}, {&service_});
    ASSERT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(Message(server.status())), HasSubstr(phrase));
  }
  security::v1::Tls tls;
  tls.set_authority(server_tls_.authority());
  EXPECT_EQ(Server::Start({.tls = tls}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  const auto channel = MakeChannel("localhost:1", {.tls = Write("bad", expired)});
  EXPECT_THAT(std::string(Message(channel.status())), HasSubstr("has expired"));
  tls = client_tls_;
  tls.clear_authority();
  EXPECT_EQ(MakeChannel("localhost:1", {.tls = tls}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Goal: no call is lost while certificates are replaced. Method: two threads shake hands anew for
// every call; each rotation waits until a handshake has shown the new certificate; between two good
// ones stands a pair that does not match. A stream is open all the time. MILLRACE_ROTATIONS sets
// how many; gRPC takes a new pair within about a second.
TEST_F(TransportTest, RotationsLoseNoHandshakeAndNoStream) {
  const char* const wanted = std::getenv("MILLRACE_ROTATIONS");
  const int rotations = wanted == nullptr ? 3 : std::atoi(wanted);
  Start({.tls = server_tls_});
  const auto transport = MakeChannelTransport(client_tls_, "", true);
  ASSERT_TRUE(transport.ok()) << transport.status();
  grpc::ChannelArguments alone;
  alone.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);

  const auto kept = grpc::CreateCustomChannel(Address(), transport->credentials, alone);
  grpc::ClientContext watching;
  ::grpc::health::v1::HealthCheckResponse health;
  const auto stream = ::grpc::health::v1::Health::NewStub(kept)->Watch(&watching, {});
  ASSERT_TRUE(stream->Read(&health));

  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> shown;  // guarded by mutex
  std::atomic<bool> stop = false;
  std::atomic<int> good = 0;
  std::atomic<int> lost = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        const auto channel = grpc::CreateCustomChannel(Address(), transport->credentials, alone);
        const auto stub = inference::GRPCInferenceService::NewStub(channel);
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + seconds(20));
        inference::ServerLiveResponse response;
        const bool ok = stub->ServerLive(&context, {}, &response).ok();
        ++(ok ? good : lost);
        if (ok) {
          const auto values = context.auth_context()->FindPropertyValues("x509_pem_cert");
          const std::lock_guard lock(mutex);
          shown.emplace(values.at(0).data(), values.at(0).size());
          changed.notify_all();
        }
      }
    });
  }
  int rotated = 0;
  for (int i = 0; i < rotations; ++i) {
    const security::Pem next = maker_.Make();
    security::WriteFile(server_tls_.certificate(), next.certificate);  // not its key's for a moment
    security::WriteFile(server_tls_.key(), next.key);
    std::unique_lock lock(mutex);
    rotated +=
        changed.wait_for(lock, seconds(30), [&] { return shown.count(next.certificate) > 0; }) ? 1
                                                                                               : 0;
  }
  stop = true;
  for (std::thread& client : clients) {
    client.join();
  }

  EXPECT_EQ(rotated, rotations);
  EXPECT_EQ(lost, 0) << "of " << good + lost << " handshakes";
  RecordProperty("handshakes", good);
  server_->SetServing(false);
  ASSERT_TRUE(stream->Read(&health)) << "the stream was lost";
  EXPECT_EQ(health.status(), ::grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  watching.TryCancel();
}

TEST_F(TransportTest, AClientShowsItsNewCertificateOnItsNextConnection) {
  Start({.tls = server_tls_});
  const auto transport = MakeChannelTransport(client_tls_, "", true);
  ASSERT_TRUE(transport.ok()) << transport.status();
  const security::Pem next = maker_.Make({.alternative = "DNS:ben.example"});
  security::WriteFile(client_tls_.certificate(), next.certificate);
  security::WriteFile(client_tls_.key(), next.key);
  ASSERT_TRUE(transport->files->Look().ok());

  grpc::ChannelArguments alone;
  alone.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto end = std::chrono::steady_clock::now() + seconds(30);
  std::string caller;
  while (caller != "ben.example" && std::chrono::steady_clock::now() < end) {
    const auto channel = grpc::CreateCustomChannel(Address(), transport->credentials, alone);
    const Answer answer = Infer(*inference::GRPCInferenceService::NewStub(channel));
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    caller = answer.caller;
  }
  EXPECT_EQ(caller, "ben.example");
}

}  // namespace
}  // namespace millrace::rpc
