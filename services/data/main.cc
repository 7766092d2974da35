// millrace-data: the composition root.

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/data/v1/config.pb.h"

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/program/program.h"
#include "common/rpc/pool.h"
#include "common/status/status.h"
#include "common/storage/blob_store.h"
#include "common/storage/file_system.h"
#include "services/data/pipeline/pipeline.h"
#include "services/data/rpc/data_service.h"
#include "services/data/rpc/import_metrics.h"
#include "services/data/rpc/import_slots.h"
#include "services/data/rpc/permissions.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {
namespace {

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
  config.set_upload_expire_hours(24);
  return config;
}

absl::Status Check(const v1::DataConfig& config) {
  if (config.folder().empty()) {
    return WithFix(InvalidArgument("folder must not be empty"),
                   "say where the datasets are kept: --folder /var/lib/millrace/data");
  }
  RETURN_IF_ERROR(
      program::CheckRange("upload_bytes_max", config.upload_bytes_max(), 1, std::int64_t{1} << 40));
  RETURN_IF_ERROR(program::CheckRange(
      "upload_expire_hours", config.upload_expire_hours(), 1, std::int64_t{30} * 24));
  return program::CheckRange("import_threads", config.import_threads(), 1, 64);
}

absl::Status Run(const v1::DataConfig& config) {
  RETURN_IF_ERROR(Check(config));
  storage::FileSystem& files = storage::PosixFileSystem();
  ASSIGN_OR_RETURN(const auto store, DatasetStore::Open(files, config.folder(), SystemClock()));
  ASSIGN_OR_RETURN(
      const auto audit,
      audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), config.folder() + "/audit"));
  const std::string uploads = config.folder() + "/uploads";
  RETURN_IF_ERROR(storage::PrepareFolder(files, uploads));
  const int imports_max = config.import_threads() + kWaitingImportsMax;
  ImportSlots slots(imports_max);
  const auto metrics = std::make_shared<prometheus::Registry>();
  rpc::Pool disk(kDiskThreads, kDiskQueueMax);
  rpc::Pool imports(config.import_threads(), static_cast<std::size_t>(imports_max));
  DataService service({.files = files,
                       .store = *store,
                       .disk = disk,
                       .imports = imports,
                       .slots = slots,
                       .uploads_folder = uploads,
                       .upload_bytes_max = config.upload_bytes_max(),
                       .pipeline = RunPipeline,
                       .metrics = std::make_shared<ImportMetrics>(metrics)});
  return program::Serve(program::SettingsOf(config),
                        {.services = {&service},
                         .permissions = DataPermissions(),
                         .metrics = metrics,
                         .audit = audit.get()});
}

}  // namespace
}  // namespace millrace::data

int main(int argc, char** argv) {
  using namespace millrace;  // NOLINT(google-build-using-namespace): this is its main()
  data::v1::DataConfig config = data::Defaults();
  return program::Main({.name = "data",
                        .version = MILLRACE_VERSION,
                        .config = config,
                        .settings = [&] { return program::SettingsOf(config); },
                        .run = [&] { return data::Run(config); }},
                       argc,
                       argv);
}
