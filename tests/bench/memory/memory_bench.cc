// memory_bench: what the services keep of their memory when the work is over.
//
//     memory_bench [seconds]
//
// Resident memory of millrace-data before 300 readers came and after they went, and of
// millrace-serving before 20 models came and after they went; each measured `seconds` (30) after
// the last call, in which a service gives back what it does not need. Prints a line for each:
// `data 300 readers: A MB before, B MB at the most, C MB after`.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "common/rpc/channel.h"
#include "common/status/check.h"
#include "common/transfer/upload_call.h"
#include "tests/bench/process/server_process.h"
#include "tests/bench/serving/reference_model.h"
#include "tests/bench/serving/upload_bundle.h"

namespace millrace::bench {
namespace {

using std::chrono::seconds;

constexpr int kReaders = 300;
constexpr int kReadersOfAChannel = 60;
constexpr int kModels = 20;

// The weights of a hidden layer of such units between 30 features and one of 1,000: 16 MB.
const std::vector<int> kHidden = {4'000, 1'000};

class Service {
 public:
  Service(const std::string& name, const std::string& folder)
      : port_file_(fmt::format("{}/{}.port", folder, name)),
        process_({std::filesystem::read_symlink("/proc/self/exe").parent_path().string() +
                      "/millrace-" + name,
                  "--address=127.0.0.1:0",
                  fmt::format("--folder={}/{}", folder, name),
                  "--port-file=" + port_file_},
                 port_file_) {}

  // A channel with a connection of its own: one takes no more than `server.streams_max` calls.
  [[nodiscard]] std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(fmt::format("127.0.0.1:{}", process_.port()),
                                     grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  [[nodiscard]] double Megabytes() const {
    return static_cast<double>(process_.ResidentBytes()) / 1e6;
  }

 private:
  std::string port_file_;
  ServerProcess process_;
};

// 22 columns of numbers and words, 17 MB.
std::string Table() {
  std::string text = "label";
  for (int column = 1; column < 22; ++column) {
    text += fmt::format(",c{}", column);
  }
  for (int row = 0; row < 90'000; ++row) {
    text += row % 3 == 0 ? "\nyes" : "\nno";
    for (int column = 1; column < 22; ++column) {
      text += fmt::format(",{:.4f}", (row * 7919 + column * 104'729) % 1'000'003 / 1e3);
    }
  }
  return text + "\n";
}

void Import(data::v1::DataService::Stub& stub, const std::string& table) {
  transfer::UploadCall<data::v1::ImportDatasetRequest, data::v1::DatasetVersion> call{
      .header = {},
      .open =
          [&](grpc::ClientContext* context, data::v1::DatasetVersion* version) {
            return stub.ImportDataset(context, version);
          },
      .ask =
          [&](grpc::ClientContext* context,
              const transfer::v1::GetUploadRequest& request,
              transfer::v1::Upload* upload) { return stub.GetUpload(context, request, upload); }};
  call.header.mutable_header()->set_dataset("datasets/table");
  call.header.mutable_header()->set_file_name("table.csv");
  call.header.mutable_header()->mutable_options()->set_label("label");
  const auto source = [&table](std::int64_t offset, std::int64_t size) {
    return table.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
  };
  CHECK(transfer::SendUpload(std::move(call), source, {}, {}).ok());
}

// One reader that has taken a message and holds its stream; refused ones count as gone.
struct Reader {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<data::v1::ReadRowsResponse>> stream;
};

void ReadAndGo(const Service& service) {
  std::vector<std::unique_ptr<data::v1::DataService::Stub>> stubs;
  std::vector<std::unique_ptr<Reader>> readers;
  data::v1::ReadRowsRequest request;
  request.set_name("datasets/table/versions/1");
  for (int i = 0; i < kReaders; ++i) {
    if (i % kReadersOfAChannel == 0) {
      stubs.push_back(data::v1::DataService::NewStub(service.NewChannel()));
    }
    auto reader = std::make_unique<Reader>();
    rpc::SetDeadline(reader->context, std::chrono::minutes(5));
    reader->stream = stubs.back()->ReadRows(&reader->context, request);
    readers.push_back(std::move(reader));
  }
  data::v1::ReadRowsResponse response;
  for (const auto& reader : readers) {
    reader->stream->Read(&response);
  }
  for (const auto& reader : readers) {
    reader->context.TryCancel();
    reader->stream->Finish();
  }
}

void Tell(const char* what, double before, double most, double after) {
  std::printf(
      "%s: %.0f MB before, %.0f MB at the most, %.0f MB after\n", what, before, most, after);
  std::fflush(stdout);
}

void MeasureData(const std::string& folder, seconds pause) {
  const Service service("data", folder);
  {
    const auto stub = data::v1::DataService::NewStub(service.NewChannel());
    Import(*stub, Table());
  }
  std::this_thread::sleep_for(pause);
  const double before = service.Megabytes();
  double most = before;
  {
    std::jthread watch([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        most = std::max(most, service.Megabytes());
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    });
    ReadAndGo(service);
  }
  std::this_thread::sleep_for(pause);
  Tell("data, 300 readers", before, most, service.Megabytes());
}

void MeasureServing(const std::string& folder, seconds pause) {
  const Service service("serving", folder);
  const auto stub = serving::v1::ServingService::NewStub(service.NewChannel());
  std::this_thread::sleep_for(pause);
  const double before = service.Megabytes();
  const std::string bundle = serving::ReferenceBundle(kHidden);
  for (int i = 0; i < kModels; ++i) {
    const std::string id = fmt::format("m{}", i);
    serving::UploadBundle(*stub, "models/" + id, bundle);
    grpc::ClientContext context;
    serving::v1::PredictResponse response;
    CHECK(stub->Predict(&context, serving::ReferencePredictRequest(id, 64), &response).ok());
  }
  const double most = service.Megabytes();
  for (int i = 0; i < kModels; ++i) {
    grpc::ClientContext context;
    serving::v1::DeleteModelVersionRequest request;
    request.set_name(fmt::format("models/m{}/versions/1", i));
    serving::v1::DeleteModelVersionResponse response;
    CHECK(stub->DeleteModelVersion(&context, request, &response).ok());
  }
  std::this_thread::sleep_for(pause);
  Tell("serving, 20 models", before, most, service.Megabytes());
}

int Main(seconds pause) {
  std::string folder = (std::filesystem::temp_directory_path() / "memory_bench.XXXXXX").string();
  CHECK(mkdtemp(folder.data()) != nullptr);
  MeasureData(folder, pause);
  MeasureServing(folder, pause);
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  const int pause = argc > 1 ? std::atoi(argv[1]) : 30;
  if (pause < 1 || pause > 600) {
    std::fputs("usage: memory_bench [seconds]\n", stderr);
    return 2;
  }
  return millrace::bench::Main(std::chrono::seconds(pause));
}
