// millrace-training: accepts runs, executes them in workers, and tells how they go.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>

#include "millrace/training/v1/config.pb.h"

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/memory/memory.h"
#include "common/program/program.h"
#include "common/rpc/channel.h"
#include "common/rpc/pool.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/storage/state_folder.h"
#include "services/training/publish/publish.h"
#include "services/training/rpc/training_service.h"
#include "services/training/runs/run_executor.h"
#include "services/training/runs/run_publisher.h"
#include "services/training/runs/run_retention.h"
#include "services/training/runs/run_store.h"

namespace millrace::training {
namespace {

constexpr const char* kName = "training";

v1::TrainingConfig Defaults() {
  v1::TrainingConfig config;
  config.set_address("127.0.0.1:7602");
  config.set_folder("millrace-training-state");
  config.set_log_level("info");
  config.set_data_address("127.0.0.1:7601");
  config.set_serving_address("127.0.0.1:7603");
  return config;
}

// The worker beside this program, unless the configuration names one.
std::string WorkerProgram(const v1::TrainingConfig& config) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return config.worker().empty() ? (self.parent_path() / "millrace-worker").string()
                                 : config.worker();
}

using Serving = serving::v1::ServingService::Stub;

PublisherOptions PublishTo(Serving& serving_service, const v1::TrainingConfig& config) {
  PublisherOptions options;
  options.send = [&serving_service](const TrainedRun& trained, const std::stop_token& stop) {
    return Publish(serving_service,
                   {.folder = trained.folder,
                    .model = trained.run.model(),
                    .no_traffic = trained.run.no_traffic(),
                    .request_id = trained.request_id,
                    .upload_id = trained.upload_id},
                   {},
                   stop);
  };
  options.limit = std::chrono::seconds(config.publish_seconds_max());
  return options;
}

// Three quarters of the memory for all runs together, unless the configuration says otherwise.
std::int64_t RunBytesMax(const v1::TrainingConfig& config) {
  return config.run_bytes_max() > 0 ? config.run_bytes_max()
                                    : MemoryBytesMax() / 4 * 3 / config.workers_max();
}

ExecutorOptions OptionsOf(const v1::TrainingConfig& config,
                          const std::string& folder,
                          std::shared_ptr<prometheus::Registry> metrics) {
  ExecutorOptions options;
  options.metrics = std::move(metrics);
  options.worker.program = WorkerProgram(config);
  options.worker.grace = std::chrono::seconds(config.worker_grace_seconds());
  options.folder = folder + "/runs";
  options.data_address = config.data_address();
  options.workers_max = config.workers_max();
  options.runs_max = static_cast<std::size_t>(config.runs_max());
  options.examples_bytes_max = config.examples_bytes_max();
  options.checkpoint_seconds = config.checkpoint_seconds();
  options.tls = config.tls();
  options.token_file = config.token_file();
  return options;
}

absl::Status Run(const v1::TrainingConfig& config) {
  const std::string folder = std::filesystem::absolute(config.folder()).string();
  ASSIGN_OR_RETURN(
      const auto state,
      storage::StateFolder::Open(storage::PosixFileSystem(), folder, RunStore::Layout().format));
  ASSIGN_OR_RETURN(
      const auto audit,
      audit::AuditLog::Open(
          storage::PosixFileSystem(), SystemClock(), folder + "/audit", config.audit_days()));
  ASSIGN_OR_RETURN(const auto store, RunStore::Open(folder + "/runs.db", SystemClock()));
  const auto metrics = std::make_shared<prometheus::Registry>();
  const rpc::ChannelOptions protection{.tls = config.tls(), .token_file = config.token_file()};
  ASSIGN_OR_RETURN(const auto to_data, rpc::MakeChannel(config.data_address(), protection));
  ASSIGN_OR_RETURN(const auto to_serving, rpc::MakeChannel(config.serving_address(), protection));
  const auto data_service = data::v1::DataService::NewStub(to_data);
  const auto serving_service = serving::v1::ServingService::NewStub(to_serving);
  ExecutorOptions options = OptionsOf(config, folder, metrics);
  options.publisher = PublishTo(*serving_service, config);
  ASSIGN_OR_RETURN(const auto executor, RunExecutor::Start(*store, std::move(options)));
  const RunRetention retention(*store, *executor, SystemClock(), config.runs_days());
  rpc::Pool pool(/*threads=*/4, /*queue_max=*/1024);
  TrainingService service({.store = *store,
                           .executor = *executor,
                           .data_service = *data_service,
                           .serving_service = *serving_service,
                           .pool = pool,
                           .spec_limits = {.epochs_max = config.limits().epochs_max(),
                                           .batch_size_max = config.limits().batch_size_max(),
                                           .layers_max = config.limits().layers_max(),
                                           .units_max = config.limits().units_max()},
                           .parameters_max = config.limits().parameters_max(),
                           .run_bytes_max = RunBytesMax(config)});
  return program::Serve(program::SettingsOf(config),
                        {.name = kName,
                         .services = {&service},
                         .permissions = TrainingService::Permissions(),
                         .metrics = metrics,
                         .state = {{.folder = folder,
                                    .layout = RunStore::Layout(),
                                    .catalog = store->catalog(),
                                    .audit = *audit}},
                         // Its runs' last events reach their watchers while the server drains.
                         .before_drain = [&executor] { executor->Stop(); }});
}

}  // namespace
}  // namespace millrace::training

int main(int argc, char** argv) {
  using namespace millrace;  // NOLINT(google-build-using-namespace): this is its main()
  training::v1::TrainingConfig config = training::Defaults();
  return program::Main({.name = training::kName,
                        .state = training::RunStore::Layout(),
                        .config = config,
                        .settings = [&] { return program::SettingsOf(config); },
                        .run = [&] { return training::Run(config); }},
                       argc,
                       argv);
}
