// A service takes bounded memory whatever is sent to it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_http2.h"

namespace millrace::integration {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kQuota = 64 * kMiB;
constexpr const char* kPredict = "/millrace.serving.v1.ServingService/Predict";

// A serving and a data service of a test's own.
class MemoryTest : public testing::Test {
 protected:
  void Start(const std::string& quota) {
    const std::vector<std::string> words{"--server.memory-bytes-max=" + quota};
    services_ = std::make_unique<LocalServices>(ExtraWords{.data = words, .serving = words});
    ASSERT_TRUE(services_->Start(Service::kData).ok());
    ASSERT_TRUE(services_->Start(Service::kServing).ok());
    data_ = data::v1::DataService::NewStub(rpc::MakeChannel(services_->address(Service::kData)));
  }

  // Messages of just below the limit on many calls at once, of which none gets its last byte.
  // Returns by how much the service's peak has grown.
  std::int64_t AfterMessagesThatNeverEnd() {
    const std::int64_t before = services_->PeakMemoryBytes(Service::kServing);
    std::vector<std::unique_ptr<RawHttp2>> connections;
    for (int c = 0; c < 8; ++c) {
      connections.push_back(std::make_unique<RawHttp2>(services_->address(Service::kServing)));
      for (int call = 0; call < 40; ++call) {
        connections.back()->BeginCall(kPredict, 4U << 20U);
      }
      connections.back()->Send(3 * kMiB, std::chrono::milliseconds(300));
    }
    return services_->PeakMemoryBytes(Service::kServing) - before;
  }

  absl::Status Import(const std::string& bytes) {
    return integration::Import(*data_, HeaderOf("large", "large.csv", "y"), bytes).status();
  }

  std::unique_ptr<LocalServices> services_;
  std::unique_ptr<DataStub> data_;
};

// gRPC 1.51 slows down at its quota and still goes some way over it.
TEST_F(MemoryTest, ManyLargeMessagesThatNeverEndAreBounded) {
  Start(std::to_string(kQuota));

  EXPECT_LT(AfterMessagesThatNeverEnd(), 400 * kMiB);
}

// That the attack is one: 960 MiB are sent.
TEST_F(MemoryTest, WithoutALimitTheyAreNot) {
  Start(std::to_string(std::int64_t{1} << 40));

  EXPECT_GT(AfterMessagesThatNeverEnd(), 800 * kMiB);
}

TEST_F(MemoryTest, AMessageThatSaysItHasTwoGibibytesIsRefusedInBoundedMemory) {
  Start(std::to_string(kQuota));
  const std::int64_t before = services_->PeakMemoryBytes(Service::kServing);
  RawHttp2 connection(services_->address(Service::kServing));
  connection.BeginCall(kPredict, (2U << 30U) - 1);

  connection.Send(512 * kMiB, std::chrono::seconds(5));

  EXPECT_EQ(connection.open_streams(), 0);
  EXPECT_LT(services_->PeakMemoryBytes(Service::kServing) - before, kQuota + 64 * kMiB);
}

TEST_F(MemoryTest, FilesOutOfEveryBoundAreRefusedInBoundedMemory) {
  Start(std::to_string(kQuota));
  std::string columns = "c0";
  for (int c = 1; c < 100'000; ++c) {
    columns += fmt::format(",c{}", c);
  }
  const std::string cell(2 * kMiB, 'x');

  const auto refused = [this](const std::string& bytes, const char* phrase) {
    const absl::Status status = Import(bytes);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
  };
  refused(columns + "\n", "a row has at most 16384 cells");
  refused("x,y\n1," + cell + "\n", "large.csv:2:3: a cell has at most 1 MiB");
  refused("x,y\n1,\"" + std::string(256 * kMiB, 'x'), "large.csv:2:3: a cell has at most 1 MiB");
  refused("x,y\n" + std::string(64 * kMiB, ','), "large.csv:2:");

  EXPECT_LT(services_->PeakMemoryBytes(Service::kData), 256 * kMiB);
}

}  // namespace
}  // namespace millrace::integration
