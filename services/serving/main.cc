// millrace-serving: the composition root.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "millrace/serving/v1/config.pb.h"

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/network/kernels/kernels.h"
#include "common/program/program.h"
#include "common/rpc/pool.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "services/serving/load/repository.h"
#include "services/serving/pipeline/served_models.h"
#include "services/serving/rpc/compute_pool.h"
#include "services/serving/rpc/inference_service.h"
#include "services/serving/rpc/permissions.h"
#include "services/serving/rpc/serving_service.h"

namespace millrace::serving {
namespace {

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
  config.set_upload_expire_hours(24);
  return config;
}

absl::Status Check(const v1::ServingConfig& config) {
  using program::CheckRange;
  RETURN_IF_ERROR(
      CheckRange("upload_bytes_max", config.upload_bytes_max(), 1, std::int64_t{1} << 40));
  RETURN_IF_ERROR(CheckRange("compute_threads", config.compute_threads(), 1, 256));
  RETURN_IF_ERROR(
      CheckRange("upload_expire_hours", config.upload_expire_hours(), 1, std::int64_t{30} * 24));
  RETURN_IF_ERROR(CheckRange("queue_max", config.queue_max(), 1, 1'000'000));
  if (!network::kernels::Supported()) {
    return FailedPrecondition("this machine has no AVX2 and FMA, which the kernels need");
  }
  return absl::OkStatus();
}

absl::Status Run(const v1::ServingConfig& config) {
  RETURN_IF_ERROR(Check(config));
  const std::string folder = std::filesystem::absolute(config.folder()).string();
  ASSIGN_OR_RETURN(const auto repository,
                   Repository::Open(storage::PosixFileSystem(), folder, SystemClock()));
  ASSIGN_OR_RETURN(
      const auto audit,
      audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), folder + "/audit"));
  const auto metrics = std::make_shared<prometheus::Registry>();
  ASSIGN_OR_RETURN(const auto models, ServedModels::Open(*repository, metrics));
  ComputePool compute({.threads = config.compute_threads(),
                       .waiting_max = static_cast<std::size_t>(config.queue_max())},
                      SystemClock(),
                      metrics);
  rpc::Pool disk(kDiskThreads, kDiskQueueMax);
  ServingService serving({.repository = *repository,
                          .models = *models,
                          .compute = compute,
                          .disk = disk,
                          .upload_bytes_max = config.upload_bytes_max()});
  InferenceService inference(*models, compute);
  return program::Serve(program::SettingsOf(config),
                        {.services = {&serving, &inference},
                         .permissions = ServingPermissions(),
                         .metrics = metrics,
                         .audit = audit.get()});
}

}  // namespace
}  // namespace millrace::serving

int main(int argc, char** argv) {
  using namespace millrace;  // NOLINT(google-build-using-namespace): this is its main()
  serving::v1::ServingConfig config = serving::Defaults();
  return program::Main({.name = "serving",
                        .version = MILLRACE_VERSION,
                        .config = config,
                        .settings = [&] { return program::SettingsOf(config); },
                        .run = [&] { return serving::Run(config); }},
                       argc,
                       argv);
}
