// millrace-data: the composition root.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "millrace/data/v1/config.pb.h"

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/program/program.h"
#include "common/rpc/pool.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/transfer/idle_watch.h"
#include "common/transfer/upload_store.h"
#include "common/transfer/upload_sweeper.h"
#include "services/data/import/import.h"
#include "services/data/pipeline/allocator.h"
#include "services/data/pipeline/pipeline.h"
#include "services/data/rpc/data_service.h"
#include "services/data/rpc/import_metrics.h"
#include "services/data/rpc/import_slots.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {
namespace {

constexpr const char* kName = "data";
constexpr int kDiskThreads = 4;
constexpr std::size_t kDiskQueueMax = 1'024;

v1::DataConfig Defaults() {
  v1::DataConfig config;
  config.set_address("127.0.0.1:7601");
  config.set_folder("millrace-data");
  config.set_log_level("info");
  return config;
}

absl::Status Check(const v1::DataConfig& config) {
  if (config.folder().empty()) {
    return WithFix(InvalidArgument("folder must not be empty"),
                   "say where the datasets are kept: --folder /var/lib/millrace/data");
  }
  return absl::OkStatus();
}

ImportLimits LimitsOf(const v1::DataLimits& limits) {
  return {.csv = {.columns_max = limits.columns_max(),
                  .cell_bytes_max = limits.cell_bytes_max(),
                  .row_bytes_max = limits.row_bytes_max()},
          .categories_max = limits.categories_max(),
          .classes_max = limits.classes_max()};
}

absl::Status Run(const v1::DataConfig& config) {
  RETURN_IF_ERROR(Check(config));
  storage::FileSystem& files = storage::PosixFileSystem();
  ASSIGN_OR_RETURN(const auto store, DatasetStore::Open(files, config.folder(), SystemClock()));
  ASSIGN_OR_RETURN(
      const auto audit,
      audit::AuditLog::Open(files, SystemClock(), config.folder() + "/audit", config.audit_days()));
  const std::string uploads_folder = config.folder() + "/uploads";
  ASSIGN_OR_RETURN(const auto uploads,
                   transfer::UploadStore::Open(
                       files, uploads_folder, SystemClock(), transfer::LimitsOf(config)));
  const transfer::UploadSweeper sweeper(*uploads);
  transfer::IdleWatch idle(std::chrono::seconds(config.stream_idle_seconds_max()));
  const int imports_max =
      config.import_threads() + static_cast<int>(config.limits().waiting_imports_max());
  ImportSlots slots(imports_max);
  const auto metrics = std::make_shared<prometheus::Registry>();
  rpc::Pool disk(kDiskThreads, kDiskQueueMax);
  rpc::Pool imports(config.import_threads(), static_cast<std::size_t>(imports_max));
  DataService service(
      {.files = files,
       .store = *store,
       .disk = disk,
       .imports = imports,
       .slots = slots,
       .uploads = *uploads,
       .idle = idle,
       .scratch_folder = uploads_folder,
       .pipeline = RunPipeline,
       .limits = LimitsOf(config.limits()),
       .answer_bytes_max = static_cast<std::size_t>(config.server().message_bytes_max()),
       .metrics = std::make_shared<ImportMetrics>(metrics)},
      {.bytes_max = config.limits().readers_bytes_max()});
  return program::Serve(program::SettingsOf(config),
                        {.name = kName,
                         .services = {&service},
                         .permissions = DataService::Permissions(),
                         .metrics = metrics,
                         .state = {{.folder = config.folder(),
                                    .layout = DatasetStore::Layout(),
                                    .catalog = store->catalog(),
                                    .audit = *audit}}});
}

}  // namespace
}  // namespace millrace::data

int main(int argc, char** argv) {
  using namespace millrace;  // NOLINT(google-build-using-namespace): this is its main()
  data::KeepFreedMemory();
  data::v1::DataConfig config = data::Defaults();
  return program::Main({.name = data::kName,
                        .state = data::DatasetStore::Layout(),
                        .config = config,
                        .settings = [&] { return program::SettingsOf(config); },
                        .run = [&] { return data::Run(config); }},
                       argc,
                       argv);
}
