// millrace-training: accepts runs, executes them in workers, and tells how they go.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

#include "millrace/training/v1/config.pb.h"

#include "common/clock/clock.h"
#include "common/config/config.h"
#include "common/rpc/channel.h"
#include "common/rpc/port_file.h"
#include "common/rpc/server.h"
#include "common/state/actions.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/storage/state_folder.h"
#include "common/telemetry/log.h"
#include "services/training/rpc/training_service.h"
#include "services/training/runs/run_executor.h"
#include "services/training/runs/run_store.h"

namespace millrace::training {

namespace {

v1::TrainingConfig Defaults() {
  v1::TrainingConfig config;
  config.set_address("127.0.0.1:7602");
  config.set_folder("millrace-training-state");
  config.set_log_level("info");
  config.set_drain_seconds(5);
  config.set_data_address("127.0.0.1:7601");
  config.set_serving_address("127.0.0.1:7603");
  config.set_workers_max(1);
  config.set_runs_max(64);
  config.set_worker_grace_seconds(5);
  config.set_examples_bytes_max(std::int64_t{4} << 30);
  return config;
}

absl::Status CheckRange(std::string_view field, std::int64_t value, std::int64_t most) {
  if (value < 1 || value > most) {
    return InvalidArgument("{} must be in [1, {}], found {}", field, most, value);
  }
  return absl::OkStatus();
}

absl::Status Check(const v1::TrainingConfig& config) {
  RETURN_IF_ERROR(CheckRange("workers_max", config.workers_max(), 64));
  RETURN_IF_ERROR(CheckRange("runs_max", config.runs_max(), 100'000));
  RETURN_IF_ERROR(CheckRange("drain_seconds", config.drain_seconds(), 3'600));
  RETURN_IF_ERROR(CheckRange("worker_grace_seconds", config.worker_grace_seconds(), 3'600));
  return CheckRange("examples_bytes_max", config.examples_bytes_max(), std::int64_t{1} << 50);
}

// The worker beside this program, unless the configuration names one.
std::string WorkerProgram(const v1::TrainingConfig& config) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return config.worker().empty() ? (self.parent_path() / "millrace-worker").string()
                                 : config.worker();
}

ExecutorOptions OptionsOf(const v1::TrainingConfig& config, const std::string& folder) {
  ExecutorOptions options;
  options.worker.program = WorkerProgram(config);
  options.worker.grace = std::chrono::seconds(config.worker_grace_seconds());
  options.folder = folder + "/runs";
  options.data_address = config.data_address();
  options.serving_address = config.serving_address();
  options.workers_max = config.workers_max();
  options.runs_max = static_cast<std::size_t>(config.runs_max());
  options.examples_bytes_max = config.examples_bytes_max();
  return options;
}

absl::Status Serve(const v1::TrainingConfig& config) {
  RETURN_IF_ERROR(Check(config));
  rpc::BlockStopSignals();
  const std::string folder = std::filesystem::absolute(config.folder()).string();
  ASSIGN_OR_RETURN(
      const auto state,
      storage::StateFolder::Open(storage::PosixFileSystem(), folder, RunStore::Layout().format));
  ASSIGN_OR_RETURN(const auto store, RunStore::Open(folder + "/runs.db", SystemClock()));
  ASSIGN_OR_RETURN(const auto executor, RunExecutor::Start(*store, OptionsOf(config, folder)));
  rpc::Pool pool(/*threads=*/4, /*queue_max=*/1024);
  const auto data_service = data::v1::DataService::NewStub(rpc::MakeChannel(config.data_address()));
  TrainingService service(
      {.store = *store, .executor = *executor, .data_service = *data_service, .pool = pool});
  rpc::ServerOptions options;
  options.address = config.address();
  options.insecure = config.insecure();
  options.reflection = config.reflection();
  ASSIGN_OR_RETURN(const auto server, rpc::Server::Start(options, {&service}));
  RETURN_IF_ERROR(rpc::WritePortFile(config.port_file(), server->port()));
  log::Info("serving", {{"port", std::to_string(server->port())}});
  rpc::WaitForStopSignal();
  log::Info("stopping");
  server->SetServing(false);
  executor->Stop();  // its runs' last events reach their watchers while the server drains
  server->Stop(std::chrono::seconds(config.drain_seconds()));
  return absl::OkStatus();
}

int Fail(const absl::Status& status) {
  const std::string fix = Fix(status);
  std::fprintf(stderr,
               "millrace-training: %s%s%s\n",
               std::string(Message(status)).c_str(),
               fix.empty() ? "" : "\n  fix: ",
               fix.c_str());
  return EXIT_FAILURE;
}

int Main(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  v1::TrainingConfig config = Defaults();
  const auto filled = config::FillFromWords("training", words, environment, config);
  if (!filled.ok()) {
    return Fail(filled.status());
  }
  switch (filled->action) {
    case config::Words::Action::kHelp:
      std::fputs(config::Help("millrace-training", Defaults()).c_str(), stdout);
      return EXIT_SUCCESS;
    case config::Words::Action::kVersion:
      std::puts("millrace-training " MILLRACE_VERSION);
      return EXIT_SUCCESS;
    case config::Words::Action::kProbe: {
      const absl::Status probed = rpc::Probe(config.address(), std::chrono::seconds(3));
      return probed.ok() ? EXIT_SUCCESS : Fail(probed);
    }
    case config::Words::Action::kVerify:
    case config::Words::Action::kBackup:
    case config::Words::Action::kRestore: {
      const absl::Status status = state::Act(RunStore::Layout(), config.folder(), *filled);
      return status.ok() ? EXIT_SUCCESS : Fail(status);
    }
    case config::Words::Action::kRun:
      break;
  }
  log::Start("training", config.log_level());
  const absl::Status served = Serve(config);
  return served.ok() ? EXIT_SUCCESS : Fail(served);
}

}  // namespace

}  // namespace millrace::training

int main(int argc, char** argv) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    environment.emplace_back(*entry);
  }
  return millrace::training::Main({argv + 1, argv + argc}, environment);
}
