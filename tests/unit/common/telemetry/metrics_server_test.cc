#include "common/telemetry/metrics_server.h"

#include <array>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/status/status.h"

namespace millrace::telemetry {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// What a server of this machine answers to a GET of `path`, head and body.
std::string Get(int port, const std::string& path) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_EQ(connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string request = fmt::format("GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
  EXPECT_EQ(send(connection, request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  std::array<char, 4096> part{};
  for (ssize_t size = 0; (size = recv(connection, part.data(), part.size(), 0)) > 0;) {
    answer.append(part.data(), static_cast<std::size_t>(size));
  }
  close(connection);
  return answer;
}

class MetricsServerTest : public testing::Test {
 protected:
  MetricsServerTest() {
    prometheus::BuildCounter()
        .Name("apples_total")
        .Help("Apples.")
        .Register(*registry_)
        .Add({{"kind", "red"}})
        .Increment(3);
  }

  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
};

TEST_F(MetricsServerTest, TellsWhatIsCounted) {
  const auto server = MetricsServer::Start("127.0.0.1:0", registry_);
  ASSERT_TRUE(server.ok()) << server.status();

  EXPECT_THAT(Get((*server)->port(), "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200"),
                    HasSubstr("# TYPE apples_total counter"),
                    HasSubstr(R"(apples_total{kind="red"} 3)")));
}

TEST_F(MetricsServerTest, HasNothingElse) {
  const auto server = MetricsServer::Start("127.0.0.1:0", registry_);
  ASSERT_TRUE(server.ok()) << server.status();

  EXPECT_THAT(Get((*server)->port(), "/"), HasSubstr(" 404 Not Found"));
  EXPECT_THAT(Get((*server)->port(), "/../../etc/passwd"), HasSubstr(" 404 Not Found"));
}

TEST_F(MetricsServerTest, SaysThatAPortIsTaken) {
  const auto first = MetricsServer::Start("127.0.0.1:0", registry_);
  ASSERT_TRUE(first.ok()) << first.status();

  const auto second =
      MetricsServer::Start(fmt::format("127.0.0.1:{}", (*first)->port()), registry_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(second.status())), HasSubstr("cannot serve metrics on 127.0"));
}

}  // namespace
}  // namespace millrace::telemetry
