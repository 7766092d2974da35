// millrace-serving: the composition root.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "millrace/serving/v1/config.pb.h"

#include "common/clock/clock.h"
#include "common/config/config.h"
#include "common/network/kernels/kernels.h"
#include "common/rpc/channel.h"
#include "common/rpc/pool.h"
#include "common/rpc/port_file.h"
#include "common/rpc/server.h"
#include "common/state/actions.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/telemetry/log.h"
#include "services/serving/load/repository.h"
#include "services/serving/pipeline/served_models.h"
#include "services/serving/rpc/inference_service.h"
#include "services/serving/rpc/serving_service.h"

namespace millrace::serving {
namespace {

constexpr std::chrono::seconds kProbeMax{3};
constexpr int kDiskThreads = 2;
constexpr std::size_t kDiskQueueMax = 256;

v1::ServingConfig Defaults() {
  v1::ServingConfig config;
  config.set_address("127.0.0.1:7603");
  config.set_folder("millrace-serving-state");
  config.set_log_level("info");
  config.set_drain_seconds(10);
  config.set_upload_bytes_max(std::int64_t{1} << 30);
  config.set_compute_threads(
      std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 256));
  config.set_queue_max(256);
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

absl::Status Check(const v1::ServingConfig& config) {
  RETURN_IF_ERROR(CheckRange("drain_seconds", config.drain_seconds(), 0, 3'600));
  RETURN_IF_ERROR(
      CheckRange("upload_bytes_max", config.upload_bytes_max(), 1, std::int64_t{1} << 40));
  RETURN_IF_ERROR(CheckRange("compute_threads", config.compute_threads(), 1, 256));
  RETURN_IF_ERROR(CheckRange("queue_max", config.queue_max(), 1, 1'000'000));
  if (!network::kernels::Supported()) {
    return FailedPrecondition("this machine has no AVX2 and FMA, which the kernels need");
  }
  return absl::OkStatus();
}

absl::Status Run(const v1::ServingConfig& config) {
  RETURN_IF_ERROR(Check(config));
  rpc::BlockStopSignals();
  const std::string folder = std::filesystem::absolute(config.folder()).string();
  ASSIGN_OR_RETURN(const auto repository,
                   Repository::Open(storage::PosixFileSystem(), folder, SystemClock()));
  ASSIGN_OR_RETURN(const auto models, ServedModels::Open(*repository));
  rpc::Pool compute(config.compute_threads(), static_cast<std::size_t>(config.queue_max()));
  rpc::Pool disk(kDiskThreads, kDiskQueueMax);
  ServingService serving({.repository = *repository,
                          .models = *models,
                          .compute = compute,
                          .disk = disk,
                          .upload_bytes_max = config.upload_bytes_max()});
  InferenceService inference(*models, compute);
  ASSIGN_OR_RETURN(const auto server,
                   rpc::Server::Start({.address = config.address(),
                                       .insecure = config.insecure(),
                                       .reflection = config.reflection()},
                                      {&serving, &inference}));
  RETURN_IF_ERROR(rpc::WritePortFile(config.port_file(), server->port()));
  log::Info("serves",
            {{"address", config.address()},
             {"port", std::to_string(server->port())},
             {"kernel_level", std::string(network::kernels::LevelName())}});
  rpc::WaitForStopSignal();
  log::Info("stops", {{"drain_seconds", std::to_string(config.drain_seconds())}});
  server->Stop(std::chrono::seconds(config.drain_seconds()));
  return absl::OkStatus();
}

// Prints an error as the command line does: what is wrong, then what to do.
int Fail(const absl::Status& status) {
  const std::string fix = Fix(status);
  std::fprintf(stderr, "millrace-serving: %s\n", std::string(Message(status)).c_str());
  if (!fix.empty()) {
    std::fprintf(stderr, "  %s\n", fix.c_str());
  }
  return 1;
}

int Main(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  v1::ServingConfig config = Defaults();
  const auto filled = config::FillFromWords("serving", words, environment, config);
  if (!filled.ok()) {
    return Fail(filled.status());
  }
  switch (filled->action) {
    case config::Words::Action::kHelp:
      std::fputs(config::Help("millrace-serving", Defaults()).c_str(), stdout);
      return 0;
    case config::Words::Action::kVersion:
      std::puts("millrace-serving " MILLRACE_VERSION);
      return 0;
    case config::Words::Action::kProbe: {
      const absl::Status status = rpc::Probe(config.address(), kProbeMax);
      return status.ok() ? 0 : Fail(status);
    }
    case config::Words::Action::kVerify:
    case config::Words::Action::kBackup:
    case config::Words::Action::kRestore: {
      const absl::Status status = state::Act(Repository::Layout(), config.folder(), *filled);
      return status.ok() ? 0 : Fail(status);
    }
    case config::Words::Action::kRun:
      break;
  }
  log::Start("serving", config.log_level());
  const absl::Status status = Run(config);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace
}  // namespace millrace::serving

int main(int argc, char** argv) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  return millrace::serving::Main(std::vector<std::string>(argv + 1, argv + argc), environment);
}
