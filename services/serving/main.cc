// millrace-serving: the composition root.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <malloc.h>

#include "millrace/serving/v1/config.pb.h"

#include "common/audit/audit_log.h"
#include "common/clock/clock.h"
#include "common/memory/memory.h"
#include "common/network/kernels/kernels.h"
#include "common/program/program.h"
#include "common/rpc/pool.h"
#include "common/status/check.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/transfer/idle_watch.h"
#include "common/transfer/upload_store.h"
#include "common/transfer/upload_sweeper.h"
#include "services/serving/load/repository.h"
#include "services/serving/pipeline/served_models.h"
#include "services/serving/rpc/compute_pool.h"
#include "services/serving/rpc/inference_service.h"
#include "services/serving/rpc/serving_service.h"

namespace millrace::serving {
namespace {

constexpr const char* kName = "serving";
constexpr int kDiskThreads = 2;
constexpr std::size_t kDiskQueueMax = 256;

v1::ServingConfig Defaults() {
  v1::ServingConfig config;
  config.set_address("127.0.0.1:7603");
  config.set_folder("millrace-serving-state");
  config.set_log_level("info");
  return config;
}

// As many as were asked for, or one a core.
int ComputeThreads(const v1::ServingConfig& config) {
  return config.compute_threads() > 0
             ? config.compute_threads()
             : std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 256);
}

// What was asked for, or half of the memory.
std::int64_t ModelBytesMax(const v1::ServingConfig& config) {
  return config.limits().models_bytes_max() > 0 ? config.limits().models_bytes_max()
                                                : MemoryBytesMax() / 2;
}

// Where callers have roles, what serves is for operators to say.
absl::StatusOr<TrafficOfNewVersions> TrafficOf(const v1::ServingConfig& config) {
  const std::string& said = config.traffic_of_new_versions();
  if (said == "newest" || (said.empty() && config.access_file().empty())) {
    return TrafficOfNewVersions::kNewest;
  }
  if (said == "kept" || said.empty()) {
    return TrafficOfNewVersions::kKept;
  }
  return WithFix(
      InvalidArgument("traffic_of_new_versions must be newest or kept, found '{}'", said),
      "leave it out: newest without an access file, kept with one");
}

// A model's weights and a bundle's bytes get pages of their own, which go back to the system when
// they are freed. By default the C library puts blocks of that size among all others once it has
// seen one freed, and what lies between them keeps their pages.
void KeepLargeBlocksApart() {
  CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
}

absl::Status CheckMachine() {
  if (!network::kernels::Supported()) {
    return FailedPrecondition("this machine has no AVX2 and FMA, which the kernels need");
  }
  return absl::OkStatus();
}

absl::Status Run(const v1::ServingConfig& config) {
  RETURN_IF_ERROR(CheckMachine());
  const std::string folder = std::filesystem::absolute(config.folder()).string();
  ASSIGN_OR_RETURN(const auto repository,
                   Repository::Open(storage::PosixFileSystem(), folder, SystemClock()));
  ASSIGN_OR_RETURN(
      const auto audit,
      audit::AuditLog::Open(
          storage::PosixFileSystem(), SystemClock(), folder + "/audit", config.audit_days()));
  const auto metrics = std::make_shared<prometheus::Registry>();
  ASSIGN_OR_RETURN(const TrafficOfNewVersions traffic, TrafficOf(config));
  ASSIGN_OR_RETURN(const auto models,
                   ServedModels::Open(*repository,
                                      {.models_bytes_max = ModelBytesMax(config),
                                       .buffer_bytes_max = config.limits().compute_bytes_max(),
                                       .traffic = traffic,
                                       .metrics = metrics}));
  ASSIGN_OR_RETURN(const auto uploads,
                   transfer::UploadStore::Open(storage::PosixFileSystem(),
                                               folder + "/uploads",
                                               SystemClock(),
                                               transfer::LimitsOf(config)));
  const transfer::UploadSweeper sweeper(*uploads);
  transfer::IdleWatch idle(std::chrono::seconds(config.stream_idle_seconds_max()));
  ComputePool compute({.threads = ComputeThreads(config),
                       .waiting_max = static_cast<std::size_t>(config.queue_max())},
                      SystemClock(),
                      metrics);
  rpc::Pool disk(kDiskThreads, kDiskQueueMax);
  const ServingParts parts{.models = *models,
                           .compute = compute,
                           .disk = disk,
                           .uploads = *uploads,
                           .idle = idle,
                           .metrics = *metrics,
                           .rows_max = config.limits().rows_max(),
                           .answer_bytes_max = config.server().message_bytes_max()};
  ServingService serving(parts);
  InferenceService inference(parts);
  return program::Serve(
      program::SettingsOf(config),
      {.name = kName,
       .services = {&serving, &inference},
       .permissions = rpc::Merge({ServingService::Permissions(), InferenceService::Permissions()}),
       .metrics = metrics,
       .counted_by_handlers = {ServingService::kPredict, InferenceService::kModelInfer},
       .state = {{.folder = folder,
                  .layout = Repository::Layout(),
                  .catalog = repository->catalog(),
                  .audit = *audit}}});
}

}  // namespace
}  // namespace millrace::serving

int main(int argc, char** argv) {
  using namespace millrace;  // NOLINT(google-build-using-namespace): this is its main()
  serving::KeepLargeBlocksApart();
  serving::v1::ServingConfig config = serving::Defaults();
  return program::Main({.name = serving::kName,
                        .state = serving::Repository::Layout(),
                        .config = config,
                        .settings = [&] { return program::SettingsOf(config); },
                        .run = [&] { return serving::Run(config); }},
                       argc,
                       argv);
}
