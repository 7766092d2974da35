#include "tests/load/large_model_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <vector>

#include <prometheus/registry.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock/clock.h"
#include "common/rpc/pool.h"
#include "common/rpc/server.h"
#include "common/status/check.h"
#include "common/storage/file_system.h"
#include "common/transfer/idle_watch.h"
#include "common/transfer/upload_store.h"
#include "services/serving/load/repository.h"
#include "services/serving/pipeline/served_models.h"
#include "services/serving/rpc/compute_pool.h"
#include "services/serving/rpc/inference_service.h"
#include "services/serving/rpc/serving_service.h"
#include "tests/bench/serving/reference_model.h"

namespace millrace::serving {

namespace {

constexpr double kCallMilliseconds = 4;  // wide layers: few rows, so that a client has little to do

struct Told {
  int port = 0;
  int rows = 0;
};

v1::UploadHeader HeaderOf(const std::string& id) {
  v1::UploadHeader header;
  header.set_model("models/" + id);
  return header;
}

int MeasureRows(const Predictor& predictor) {
  constexpr int kRows = 64;
  const std::vector<float> x(static_cast<std::size_t>(kRows * predictor.input_count()), 0.5F);
  std::vector<float> answers(static_cast<std::size_t>(kRows * predictor.answer_count()));
  double least_ms = 1e9;
  for (int i = 0; i < 10; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(predictor.Infer(kRows, x, answers).ok());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    least_ms = std::min(least_ms, took.count());
  }
  return std::clamp(static_cast<int>(kRows * kCallMilliseconds / least_ms), 1, 4'096);
}

// The server's process: tells where it is and serves until `until` is closed.
void Serve(const std::string& folder, int tell, int until) {
  const auto repository = Repository::Open(storage::PosixFileSystem(), folder, SystemClock());
  CHECK(repository.ok());
  const auto models = ServedModels::Open(**repository);
  CHECK(models.ok());
  CHECK((*models)->Add(HeaderOf(kSmallModel), ReferenceBundle()).ok());
  CHECK((*models)->Add(HeaderOf(kLargeModel), ReferenceBundle({2'048, 2'048})).ok());
  ComputePool compute({.threads = 2});
  rpc::Pool disk(1, 16);
  const auto uploads = transfer::UploadStore::Open(
      storage::PosixFileSystem(), folder + "/uploads", SystemClock(), {});
  CHECK(uploads.ok());
  transfer::IdleWatch idle(std::chrono::minutes(1));
  prometheus::Registry metrics;
  const ServingParts parts{.models = **models,
                           .compute = compute,
                           .disk = disk,
                           .uploads = **uploads,
                           .idle = idle,
                           .metrics = metrics};
  ServingService serving(parts);
  InferenceService inference(parts);
  const auto server = rpc::Server::Start({}, {&serving, &inference});
  CHECK(server.ok());
  const auto large = (*models)->Find(kLargeModel, "");
  CHECK(large.ok());
  const Told told = {.port = (*server)->port(), .rows = MeasureRows((*large)->predictor())};
  CHECK(write(tell, &told, sizeof told) == sizeof told);
  char nothing = 0;
  CHECK(read(until, &nothing, 1) == 0);
}

}  // namespace

LargeModelServer::LargeModelServer()
    : folder_((std::filesystem::temp_directory_path() / "large_model.XXXXXX").string()) {
  std::array<int, 2> tell = {};
  std::array<int, 2> until = {};
  CHECK(pipe(tell.data()) == 0 && pipe(until.data()) == 0);
  CHECK(mkdtemp(folder_.data()) != nullptr);
  process_ = fork();
  CHECK(process_ >= 0);
  if (process_ == 0) {
    close(until[1]);
    Serve(folder_, tell[1], until[0]);
    _exit(0);
  }
  close(tell[1]);
  close(until[0]);
  until_ = until[1];
  Told told;
  CHECK(read(tell[0], &told, sizeof told) == sizeof told);
  close(tell[0]);
  address_ = "127.0.0.1:" + std::to_string(told.port);
  rows_ = told.rows;
}

LargeModelServer::~LargeModelServer() {
  close(until_);
  int status = 0;
  CHECK(waitpid(process_, &status, 0) == process_ && status == 0);
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
}

}  // namespace millrace::serving
