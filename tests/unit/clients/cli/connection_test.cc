#include "clients/cli/connection.h"

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using data::v1::DeleteDatasetRequest;
using data::v1::DeleteDatasetResponse;
using training::Fails;

class ConnectionTest : public ShellTest {
 protected:
  absl::StatusOr<DeleteDatasetResponse> Delete() {
    return connection_.Call(connection_.Data(), &DataStub::DeleteDataset, DeleteDatasetRequest());
  }
};

// Listens on a port of its own, and says the first word of HTTP/2 to one caller only after `delay`.
class SlowServer {
 public:
  explicit SlowServer(std::chrono::milliseconds delay) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, generic, size), 0);
    EXPECT_EQ(listen(socket_, 1), 0);
    EXPECT_EQ(getsockname(socket_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, delay] { Answer(delay); });
  }

  ~SlowServer() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }

  SlowServer(const SlowServer&) = delete;
  SlowServer& operator=(const SlowServer&) = delete;

  [[nodiscard]] int port() const { return port_; }

 private:
  void Answer(std::chrono::milliseconds delay) const {
    const int caller = accept(socket_, nullptr, nullptr);
    poll(nullptr, 0, static_cast<int>(delay.count()));
    constexpr std::array<char, 9> kSettings{0, 0, 0, 4, 0, 0, 0, 0, 0};  // an empty frame of them
    send(caller, kSettings.data(), kSettings.size(), MSG_NOSIGNAL);
    std::array<char, 4096> bytes{};
    while (recv(caller, bytes.data(), bytes.size(), 0) > 0) {
    }
    close(caller);
  }

  int socket_;
  int port_ = 0;
  std::thread thread_;
};

TEST_F(ConnectionTest, AServiceThatIsSlowToAnswerIsNotTakenForOneThatIsDown) {
  const SlowServer server(std::chrono::milliseconds(300));
  Connection connection(
      Endpoints{.addresses = {.data = fmt::format("127.0.0.1:{}", server.port())}},
      stop_.get_token());
  const auto stub = connection.Data();
  EXPECT_TRUE(stub.ok()) << stub.status();
}

TEST_F(ConnectionTest, ACallComesBackWithItsAnswer) {
  data_.delete_dataset = [](const DeleteDatasetRequest&, DeleteDatasetResponse& response) {
    response.set_deleted_count(3);
    return absl::OkStatus();
  };
  const auto response = Delete();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->deleted_count(), 3);
}

TEST_F(ConnectionTest, AnErrorComesBackWithItsFix) {
  data_.delete_dataset = [](const DeleteDatasetRequest&, DeleteDatasetResponse&) {
    return WithFix(NotFound("there is no dataset 'x'"), "did you mean 'y'?");
  };
  const auto response = Delete();
  EXPECT_THAT(response, Fails(absl::StatusCode::kNotFound, "there is no dataset 'x'"));
  EXPECT_EQ(Fix(response.status()), "did you mean 'y'?");
}

TEST_F(ConnectionTest, AServiceThatIsDownIsNamedWithItsAddressAtOnce) {
  StopServer(training_server_);
  const auto begin = std::chrono::steady_clock::now();
  const auto stub = connection_.Training();
  EXPECT_THAT(stub,
              Fails(absl::StatusCode::kUnavailable,
                    "cannot reach the training service at " + addresses_.training));
  EXPECT_EQ(Fix(stub.status()), "'millrace up' starts it; --training-address says where it is");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kConnectMax / 2);
}

TEST_F(ConnectionTest, AServiceThatWentAwayIsNotWaitedFor) {
  data_.delete_dataset = [](const DeleteDatasetRequest&, DeleteDatasetResponse&) {
    return absl::OkStatus();
  };
  ASSERT_TRUE(Delete().ok());
  StopServer(data_server_);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Delete(), Fails(absl::StatusCode::kUnavailable, ""));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kCallMax / 2);
}

TEST_F(ConnectionTest, AWishToStopEndsACall) {
  data_.delete_dataset = [this](const DeleteDatasetRequest&, DeleteDatasetResponse&) {
    stop_.request_stop();  // the user does not wait for this answer
    return absl::OkStatus();
  };
  const auto response = Delete();
  // The answer may overtake the wish; then it counts.
  EXPECT_TRUE(response.ok() || absl::IsCancelled(response.status())) << response.status();
  EXPECT_THAT(Delete(), Fails(absl::StatusCode::kCancelled, "interrupted"));
}

TEST_F(ConnectionTest, AWishToStopEndsTheAttemptToConnect) {
  stop_.request_stop();
  EXPECT_THAT(connection_.Serving(), Fails(absl::StatusCode::kCancelled, "interrupted"));
}

TEST_F(ConnectionTest, AStubIsMadeOnce) {
  const auto first = connection_.Serving();
  const auto second = connection_.Serving();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
}

}  // namespace
}  // namespace millrace::cli
