#include "common/rpc/self_probe.h"

#include <future>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/rpc/server.h"
#include "common/status/status.h"
#include "tests/unit/common/rpc/secured.h"

namespace millrace::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// A port on which connections are made and nobody ever answers.
class DeafListener {
 public:
  DeafListener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(descriptor_, generic, size), 0);
    EXPECT_EQ(listen(descriptor_, /*backlog=*/16), 0);
    EXPECT_EQ(getsockname(descriptor_, generic, &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  ~DeafListener() { close(descriptor_); }

  DeafListener(const DeafListener&) = delete;
  DeafListener& operator=(const DeafListener&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  const int descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string address_;
};

class SelfProbeTest : public SecuredTest {
 protected:
  // Probes as fast as it can and keeps what it gave up with.
  SelfProbeOptions Quick(milliseconds timeout) {
    return {.interval = milliseconds(1),
            .timeout = timeout,
            .failures_max = 3,
            .give_up = [this](const absl::Status& last) { gave_up_.set_value(last); }};
  }

  std::promise<absl::Status> gave_up_;
};

TEST_F(SelfProbeTest, GivesUpOnAServerThatAnswersNobody) {
  const DeafListener deaf;
  const auto probe = SelfProbe::Start(deaf.address(), {}, Quick(milliseconds(50)));
  ASSERT_TRUE(probe.ok());

  auto gave_up = gave_up_.get_future();
  ASSERT_EQ(gave_up.wait_for(seconds(30)), std::future_status::ready);
  EXPECT_EQ(gave_up.get().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SelfProbeTest, ProbesAServerWithMutualTlsByItsOwnCertificate) {
  Start({.tls = server_tls_});
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());

  EXPECT_TRUE(ProbeSelf(address, server_tls_, seconds(20)).ok());
  server_->SetServing(false);
  const absl::Status status = ProbeSelf(address, server_tls_, seconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("answers that it is not serving"));
}

TEST_F(SelfProbeTest, SaysWhichAddressDoesNotAnswer) {
  const DeafListener deaf;
  const absl::Status status = ProbeSelf(deaf.address(), {}, milliseconds(50));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(deaf.address() + " does not answer"));
}

// The probe's own calls are what the server counts: three good ones, then none.
TEST_F(SelfProbeTest, AServerThatAnswersIsLeftAloneAndOneThatStopsIsNot) {
  Start({});
  const auto probe =
      SelfProbe::Start("127.0.0.1:" + std::to_string(server_->port()), {}, Quick(seconds(20)));
  ASSERT_TRUE(probe.ok());
  auto gave_up = gave_up_.get_future();
  EXPECT_EQ(gave_up.wait_for(milliseconds(300)), std::future_status::timeout);

  server_->Stop(milliseconds(0));
  ASSERT_EQ(gave_up.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_EQ(gave_up.get().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace millrace::rpc
