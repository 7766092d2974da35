// millrace-data: the composition root.

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <unistd.h>

#include "millrace/data/v1/config.pb.h"

#include "common/clock/clock.h"
#include "common/config/config.h"
#include "common/rpc/channel.h"
#include "common/rpc/pool.h"
#include "common/rpc/port_file.h"
#include "common/rpc/server.h"
#include "common/state/actions.h"
#include "common/status/status.h"
#include "common/storage/blob_store.h"
#include "common/storage/file_system.h"
#include "common/telemetry/log.h"
#include "services/data/pipeline/pipeline.h"
#include "services/data/rpc/data_service.h"
#include "services/data/rpc/import_slots.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {
namespace {

constexpr std::chrono::seconds kProbeMax{3};
constexpr int kDiskThreads = 4;
constexpr std::size_t kDiskQueueMax = 1'024;
constexpr int kWaitingImportsMax = 16;

v1::DataConfig Defaults() {
  v1::DataConfig config;
  config.set_address("127.0.0.1:7601");
  config.set_folder("millrace-data");
  config.set_log_level("info");
  config.set_drain_seconds(10);
  config.set_upload_bytes_max(std::int64_t{16} << 30);
  config.set_import_threads(2);
  return config;
}

absl::Status CheckRange(const char* field,
                        std::int64_t value,
                        std::int64_t least,
                        std::int64_t most) {
  if (value < least || value > most) {
    return InvalidArgument("{} must be in [{}, {}], found {}", field, least, most, value);
  }
  return absl::OkStatus();
}

absl::Status Check(const v1::DataConfig& config) {
  if (config.folder().empty()) {
    return WithFix(InvalidArgument("folder must not be empty"),
                   "say where the datasets are kept: --folder /var/lib/millrace/data");
  }
  RETURN_IF_ERROR(CheckRange("drain_seconds", config.drain_seconds(), 0, 3'600));
  RETURN_IF_ERROR(
      CheckRange("upload_bytes_max", config.upload_bytes_max(), 1, std::int64_t{1} << 40));
  return CheckRange("import_threads", config.import_threads(), 1, 64);
}

absl::Status Run(const v1::DataConfig& config) {
  RETURN_IF_ERROR(Check(config));
  rpc::BlockStopSignals();
  storage::FileSystem& files = storage::PosixFileSystem();
  ASSIGN_OR_RETURN(const auto store, DatasetStore::Open(files, config.folder(), SystemClock()));
  const std::string uploads = config.folder() + "/uploads";
  RETURN_IF_ERROR(storage::PrepareFolder(files, uploads));
  const int imports_max = config.import_threads() + kWaitingImportsMax;
  ImportSlots slots(imports_max);
  rpc::Pool disk(kDiskThreads, kDiskQueueMax);
  rpc::Pool imports(config.import_threads(), static_cast<std::size_t>(imports_max));
  DataService service({.files = files,
                       .store = *store,
                       .disk = disk,
                       .imports = imports,
                       .slots = slots,
                       .uploads_folder = uploads,
                       .upload_bytes_max = config.upload_bytes_max(),
                       .pipeline = RunPipeline});
  ASSIGN_OR_RETURN(const auto server,
                   rpc::Server::Start({.address = config.address(),
                                       .insecure = config.insecure(),
                                       .reflection = config.reflection()},
                                      {&service}));
  RETURN_IF_ERROR(rpc::WritePortFile(config.port_file(), server->port()));
  log::Info("serves", {{"address", config.address()}, {"port", std::to_string(server->port())}});
  rpc::WaitForStopSignal();
  log::Info("stops", {{"drain_seconds", std::to_string(config.drain_seconds())}});
  server->Stop(std::chrono::seconds(config.drain_seconds()));
  return absl::OkStatus();
}

// Prints an error as the command line does: what is wrong, then what to do.
int Fail(const absl::Status& status) {
  const std::string fix = Fix(status);
  std::fprintf(stderr, "millrace-data: %s\n", std::string(Message(status)).c_str());
  if (!fix.empty()) {
    std::fprintf(stderr, "  %s\n", fix.c_str());
  }
  return 1;
}

int Main(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  v1::DataConfig config = Defaults();
  const auto filled = config::FillFromWords("data", words, environment, config);
  if (!filled.ok()) {
    return Fail(filled.status());
  }
  switch (filled->action) {
    case config::Words::Action::kHelp:
      std::fputs(config::Help("millrace-data", Defaults()).c_str(), stdout);
      return 0;
    case config::Words::Action::kVersion:
      std::puts("millrace-data " MILLRACE_VERSION);
      return 0;
    case config::Words::Action::kProbe: {
      const absl::Status status = rpc::Probe(config.address(), kProbeMax);
      return status.ok() ? 0 : Fail(status);
    }
    case config::Words::Action::kVerify:
    case config::Words::Action::kBackup:
    case config::Words::Action::kRestore: {
      const absl::Status status = state::Act(DatasetStore::Layout(), config.folder(), *filled);
      return status.ok() ? 0 : Fail(status);
    }
    case config::Words::Action::kRun:
      break;
  }
  log::Start("data", config.log_level());
  const absl::Status status = Run(config);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace
}  // namespace millrace::data

int main(int argc, char** argv) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  return millrace::data::Main(std::vector<std::string>(argv + 1, argv + argc), environment);
}
