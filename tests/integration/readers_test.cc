// Three hundred open readers of a data service: its memory, what else it answers meanwhile, and
// what it keeps when they have gone. With the default limits, and in an address space that they
// once filled.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"

namespace millrace::integration {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
constexpr int kReaders = 300;
constexpr int kConnections = 5;  // a hundred streams each are allowed

// About 17 MiB: numbers that do not compress, and a label.
std::string Table() {
  std::string text = "a,b,c,d,e,f,g,h,label\n";
  std::uint64_t state = 1;
  while (static_cast<std::int64_t>(text.size()) < 17 * kMebibyte) {
    for (int c = 0; c < 8; ++c) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      text += fmt::format("{}.{},", state >> 50U, (state >> 30U) % 100'000);
    }
    text += (state >> 40U) % 2 == 0 ? "p\n" : "q\n";
  }
  return text;
}

// A connection of its own, where channels with equal arguments would share one.
std::unique_ptr<DataStub> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return data::v1::DataService::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

// Every program that starts while this lives has so much address space.
class AddressSpace {
 public:
  explicit AddressSpace(std::int64_t bytes) {
    getrlimit(RLIMIT_AS, &before_);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(bytes);
    setrlimit(RLIMIT_AS, &limit);
  }

  ~AddressSpace() { setrlimit(RLIMIT_AS, &before_); }

  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

 private:
  rlimit before_{};
};

struct OpenReader {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<data::v1::ReadRowsResponse>> stream;
};

TEST(ReadersTest, ThreeHundredStayInTheirBoundAndShutNoListOut) {
  LocalServices services;
  {
    const AddressSpace bounded(1'536 * kMebibyte);
    Require(services.Start(Service::kData));
  }
  const std::string& address = services.address(Service::kData);
  const auto stub = Connect(address);
  Require(Import(*stub, HeaderOf("large", "large.csv", "label"), Table()).status());
  const std::int64_t before = services.MemoryBytes(Service::kData);

  std::vector<std::unique_ptr<DataStub>> connections;
  for (int i = 0; i < kConnections; ++i) {
    connections.push_back(Connect(address));
  }
  std::vector<std::unique_ptr<OpenReader>> readers;
  int refused = 0;
  for (int i = 0; i < kReaders; ++i) {
    auto reader = std::make_unique<OpenReader>();
    rpc::SetDeadline(reader->context, seconds(300));
    data::v1::ReadRowsRequest request;
    request.set_name("datasets/large");
    reader->stream = connections[static_cast<std::size_t>(i % kConnections)]->ReadRows(
        &reader->context, request);
    data::v1::ReadRowsResponse message;
    if (reader->stream->Read(&message)) {
      readers.push_back(std::move(reader));
      continue;
    }
    const absl::Status status = FromGrpcStatus(reader->stream->Finish());
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_TRUE(RetryAfter(status).has_value());
    ++refused;
  }
  EXPECT_GT(readers.size(), 10U);
  EXPECT_GT(refused, 0) << readers.size();

  const auto asked = steady_clock::now();
  const auto list = Call(*stub, &DataStub::ListDatasets, data::v1::ListDatasetsRequest());
  EXPECT_TRUE(list.ok()) << list.status();
  EXPECT_LT(steady_clock::now() - asked, seconds(2));
  RecordProperty("peak_mebibytes",
                 static_cast<int>(services.PeakMemoryBytes(Service::kData) / kMebibyte));

  for (const auto& reader : readers) {
    reader->context.TryCancel();
    reader->stream->Finish();
  }
  // Given back ten seconds after the last one.
  const auto deadline = steady_clock::now() + seconds(30);
  std::int64_t after = services.MemoryBytes(Service::kData);
  while (after > before + 20 * kMebibyte && steady_clock::now() < deadline) {
    Require(Call(*stub, &DataStub::ListDatasets, data::v1::ListDatasetsRequest()).status());
    after = services.MemoryBytes(Service::kData);
  }
  EXPECT_LE(after, before + 20 * kMebibyte);
}

}  // namespace
}  // namespace millrace::integration
