// import_bench: a CSV file through a data service, over gRPC on the loopback, to a stored version.
//
//     import_bench --generate PATH --megabytes N     writes a CSV of N million bytes
//     import_bench PATH [--label COLUMN]             imports it; prints one JSON object
//
// Server and client are two processes, as they are in use; the figures of memory are the server's.
// `seconds` is from the header to the answer, and the phases are its parts: `receive` until all
// bytes have come, then the steps of the pipeline, then `store` until the answer.

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "millrace/data/v1/data_service.grpc.pb.h"

#include "common/clock/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/pool.h"
#include "common/rpc/server.h"
#include "common/status/check.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/transfer/idle_watch.h"
#include "common/transfer/sender.h"
#include "common/transfer/upload_store.h"
#include "services/data/pipeline/allocator.h"
#include "services/data/pipeline/pipeline.h"
#include "services/data/rpc/data_service.h"
#include "services/data/rpc/import_slots.h"
#include "services/data/store/dataset_store.h"
#include "tests/bench/import/mixed_csv.h"

namespace millrace::data {
namespace {

using Time = std::chrono::steady_clock::time_point;

// In order. `import` reads and types, `columns` measures and fits.
constexpr std::array<const char*, 7> kPhases =
    {"receive", "import", "rank", "clean", "split", "columns", "store"};

constexpr std::int64_t kUploadBytesMax = std::int64_t{1} << 40;

double Seconds(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

// What the serving process tells when it ends.
struct Served {
  double peak_mebibytes = 0;
  double processor_seconds = 0;
  std::array<Time, kPhases.size()> ended{};  // the last is not known here
};

// What the client measured; both processes read the same clock.
struct Sent {
  Time start;
  Time end;
};

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Serves one import from `folder`, until `from_client` says that it is over.
Served Serve(const std::string& folder, int to_client, int from_client) {
  KeepFreedMemory();
  storage::FileSystem& files = storage::PosixFileSystem();
  Served served;
  auto store = DatasetStore::Open(files, folder, SystemClock());
  CHECK(store.ok());
  const std::string uploads_folder = folder + "/uploads";
  const auto uploads = transfer::UploadStore::Open(
      files, uploads_folder, SystemClock(), {.upload_bytes_max = kUploadBytesMax});
  CHECK(uploads.ok());
  transfer::IdleWatch idle(std::chrono::minutes(1));
  ImportSlots slots(2);
  rpc::Pool disk(4, 64);
  rpc::Pool imports(2, 2);
  const auto pipeline = [&](const v1::ImportHeader& header,
                            const StagedFile& file,
                            const ImportMeans& means,
                            const std::stop_token& stop) {
    ImportMeans told = means;
    std::size_t phase = 0;
    told.begins = [&](std::string_view) {
      served.ended.at(phase++) = std::chrono::steady_clock::now();
    };
    auto result = RunPipeline(header, file, told, stop);
    told.begins("store");
    return result;
  };
  DataService service({.files = files,
                       .store = **store,
                       .disk = disk,
                       .imports = imports,
                       .slots = slots,
                       .uploads = **uploads,
                       .idle = idle,
                       .scratch_folder = uploads_folder,
                       .pipeline = pipeline});
  const auto server = rpc::Server::Start({}, {&service});
  CHECK(server.ok());
  const int port = (*server)->port();
  CHECK(write(to_client, &port, sizeof(port)) == sizeof(port));
  char over = 0;
  CHECK(read(from_client, &over, 1) == 1);
  (*server)->Stop(std::chrono::seconds(5));
  rusage usage{};
  CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  served.peak_mebibytes = static_cast<double>(usage.ru_maxrss) / 1024;
  served.processor_seconds = SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime);
  return served;
}

// Sends the file and waits for the answer.
absl::StatusOr<Sent> Import(const std::string& path, const std::string& label, int port) {
  const auto stub = v1::DataService::NewStub(rpc::MakeChannel(fmt::format("127.0.0.1:{}", port)));
  grpc::ClientContext context;
  rpc::SetDeadline(context, std::chrono::minutes(30));
  v1::DatasetVersion version;
  std::ifstream file(path, std::ios::binary);
  const auto stream = stub->ImportDataset(&context, &version);
  v1::ImportDatasetRequest request;
  request.mutable_header()->set_dataset("datasets/bench");
  request.mutable_header()->set_file_name(std::filesystem::path(path).filename());
  request.mutable_header()->mutable_options()->set_label(label);
  Sent sent{.start = std::chrono::steady_clock::now(), .end = {}};
  stream->Write(request);
  transfer::Sender sender(
      [&file](std::int64_t offset, std::int64_t bytes) -> absl::StatusOr<std::string> {
        std::string chunk(static_cast<std::size_t>(bytes), '\0');
        file.seekg(offset);
        file.read(chunk.data(), bytes);
        chunk.resize(static_cast<std::size_t>(file.gcount()));
        return chunk;
      });
  RETURN_IF_ERROR(sender.SendFrom(
      0,
      [&](transfer::v1::Chunk chunk) {
        v1::ImportDatasetRequest message;
        *message.mutable_chunk() = std::move(chunk);
        return stream->Write(message);
      },
      [&](transfer::v1::Close close) {
        v1::ImportDatasetRequest message;
        *message.mutable_close() = std::move(close);
        return stream->Write(message);
      }));
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  sent.end = std::chrono::steady_clock::now();
  if (!status.ok()) {
    return Unavailable("the import failed: {}", status.error_message());
  }
  std::fprintf(stderr,
               "%s, %lld rows, sha256 %s\n",
               version.name().c_str(),
               static_cast<long long>(version.row_count()),
               version.sha256().c_str());
  return sent;
}

// One import, the server in a child process.
int Measure(const std::string& path, const std::string& label) {
  const std::string folder =
      (std::filesystem::temp_directory_path() / fmt::format("import_bench_{}", getpid())).string();
  int to_client[2];
  int to_server[2];
  CHECK(pipe(to_client) == 0 && pipe(to_server) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    const Served served = Serve(folder, to_client[1], to_server[0]);
    CHECK(write(to_client[1], &served, sizeof(served)) == sizeof(served));
    _exit(0);
  }
  int port = 0;
  CHECK(read(to_client[0], &port, sizeof(port)) == sizeof(port));
  const absl::StatusOr<Sent> sent = Import(path, label, port);
  CHECK(write(to_server[1], "x", 1) == 1);
  Served served;
  CHECK(read(to_client[0], &served, sizeof(served)) == sizeof(served));
  waitpid(child, nullptr, 0);
  std::filesystem::remove_all(folder);
  if (!sent.ok()) {
    std::fprintf(stderr, "import_bench: %s\n", std::string(sent.status().message()).c_str());
    return 1;
  }
  served.ended.back() = sent->end;
  std::string phases;
  Time before = sent->start;
  for (std::size_t i = 0; i < kPhases.size(); ++i) {
    phases += fmt::format(
        "{}\"{}\": {:.3f}", i == 0 ? "" : ", ", kPhases.at(i), Seconds(before, served.ended.at(i)));
    before = served.ended.at(i);
  }
  const double seconds = Seconds(sent->start, sent->end);
  const double megabytes = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  fmt::print(
      "{{\"megabytes\": {:.1f}, \"seconds\": {:.3f}, \"megabytes_per_second\": {:.1f}, "
      "\"peak_rss_megabytes\": {:.1f}, \"server_processor_seconds\": {:.3f}, "
      "\"phases\": {{{}}}}}\n",
      megabytes,
      seconds,
      megabytes / seconds,
      served.peak_mebibytes * 1.048576,
      served.processor_seconds,
      phases);
  return 0;
}

int Main(const std::vector<std::string>& words) {
  if (words.size() == 4 && words[0] == "--generate" && words[2] == "--megabytes") {
    const absl::Status status = WriteMixedCsv(words[1], std::stoll(words[3]) * 1'000'000);
    if (!status.ok()) {
      std::fprintf(stderr, "import_bench: %s\n", std::string(status.message()).c_str());
    }
    return status.ok() ? 0 : 1;
  }
  if (words.size() == 1) {
    return Measure(words[0], "outcome");
  }
  if (words.size() == 3 && words[1] == "--label") {
    return Measure(words[0], words[2]);
  }
  std::fputs(
      "import_bench --generate PATH --megabytes N\n"
      "import_bench PATH [--label COLUMN]\n",
      stderr);
  return 2;
}

}  // namespace
}  // namespace millrace::data

int main(int argc, char** argv) {
  return millrace::data::Main(std::vector<std::string>(argv + 1, argv + argc));
}
