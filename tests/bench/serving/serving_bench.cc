// serving_bench: Predict and ModelInfer beside a bare echo of the same messages, in the same run.
//
//     serving_bench [rounds [milliseconds]]
//
// The echo is a handler that answers every request with a copy of the answer that the real service
// gave once: same requests, same answers, same server settings, nothing computed. Server and client
// are two processes on the loopback; echo and service take turns, and the medians of the rounds are
// printed with the median of the rounds' ratios.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/registry.h>
#include <sys/wait.h>
#include <unistd.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "common/clock/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/pool.h"
#include "common/rpc/reply.h"
#include "common/rpc/server.h"
#include "common/status/check.h"
#include "common/storage/file_system.h"
#include "common/transfer/upload_store.h"
#include "inference/open_inference_grpc.grpc.pb.h"
#include "services/serving/load/repository.h"
#include "services/serving/pipeline/served_models.h"
#include "services/serving/rpc/compute_pool.h"
#include "services/serving/rpc/inference_service.h"
#include "services/serving/rpc/permissions.h"
#include "services/serving/rpc/serving_service.h"
#include "tests/bench/serving/lasting_channel.h"
#include "tests/bench/serving/load.h"
#include "tests/bench/serving/reference_model.h"

namespace millrace::serving {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Serving = v1::ServingService;
using Inference = inference::GRPCInferenceService;

class PredictEcho final : public Serving::CallbackService {
 public:
  v1::PredictResponse answer;

  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* context,
                                    const v1::PredictRequest* /*request*/,
                                    v1::PredictResponse* response) override {
    *response = answer;
    return rpc::Reply(*context, absl::OkStatus());
  }
};

class InferEcho final : public Inference::CallbackService {
 public:
  inference::ModelInferResponse answer;

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* /*request*/,
                                       inference::ModelInferResponse* response) override {
    *response = answer;
    return rpc::Reply(*context, absl::OkStatus());
  }
};

struct Ports {
  int service = 0;
  int echo = 0;
};

// The answers that the echo repeats.
void Record(rpc::Server& server, PredictEcho& predict, InferEcho& infer) {
  const auto channel = server.InProcessChannel();
  grpc::ClientContext predict_context;
  CHECK(Serving::NewStub(channel)
            ->Predict(&predict_context, ReferencePredictRequest(), &predict.answer)
            .ok());
  grpc::ClientContext infer_context;
  CHECK(Inference::NewStub(channel)
            ->ModelInfer(&infer_context, ReferenceInferRequest(), &infer.answer)
            .ok());
}

// The server's process: tells its ports and serves until `until` is closed. The service counts and
// times its calls, as it does in use; the echo is bare.
void Serve(const std::string& folder, int tell, int until) {
  const auto repository = Repository::Open(storage::PosixFileSystem(), folder, SystemClock());
  CHECK(repository.ok());
  const auto metrics = std::make_shared<prometheus::Registry>();
  const auto models = ServedModels::Open(**repository, metrics);
  CHECK(models.ok());
  CHECK((*models)->Add("reference", ReferenceBundle()).ok());
  ComputePool compute({.threads = 2}, SystemClock(), metrics);
  rpc::Pool disk(1, 16);
  const auto uploads = transfer::UploadStore::Open(
      storage::PosixFileSystem(), folder + "/uploads", SystemClock(), {});
  CHECK(uploads.ok());
  ServingService serving({.models = **models,
                          .compute = compute,
                          .disk = disk,
                          .uploads = **uploads,
                          .metrics = *metrics});
  InferenceService inference(**models, compute, *metrics, /*rows_max=*/4'096);
  const auto service = rpc::Server::Start(
      {.permissions = ServingPermissions(),
       .metrics = metrics.get(),
       .counted_by_handlers = {ServingService::kPredict, InferenceService::kModelInfer}},
      {&serving, &inference});
  CHECK(service.ok());
  PredictEcho predict_echo;
  InferEcho infer_echo;
  Record(**service, predict_echo, infer_echo);
  const auto echo = rpc::Server::Start(
      {.counted_by_handlers = {ServingService::kPredict, InferenceService::kModelInfer}},
      {&predict_echo, &infer_echo});
  CHECK(echo.ok());
  const Ports ports = {.service = (*service)->port(), .echo = (*echo)->port()};
  CHECK(write(tell, &ports, sizeof ports) == sizeof ports);
  char nothing = 0;
  CHECK(read(until, &nothing, 1) == 0);
}

// A caller of one method with one request.
template <typename Response, typename Begin>
class UnaryCaller final : public Caller {
 public:
  explicit UnaryCaller(Begin begin) : begin_(std::move(begin)) {}

  void Start(std::function<void(bool)> done) override {
    context_ = std::make_unique<grpc::ClientContext>();
    rpc::SetDeadline(*context_, seconds(30));
    begin_(*context_, response_, [done = std::move(done)](const grpc::Status& status) {
      done(status.ok());
    });
  }

 private:
  Begin begin_;
  std::unique_ptr<grpc::ClientContext> context_;
  Response response_;
};

template <typename Response, typename Begin>
std::unique_ptr<Caller> MakeCaller(Begin begin) {
  return std::make_unique<UnaryCaller<Response, Begin>>(std::move(begin));
}

using MakeCallers = std::function<std::unique_ptr<Caller>()>;

MakeCallers PredictOf(int port) {
  const std::shared_ptr<Serving::Stub> stub =
      Serving::NewStub(LastingChannel("127.0.0.1:" + std::to_string(port)));
  const auto request = std::make_shared<const v1::PredictRequest>(ReferencePredictRequest());
  return [stub, request] {
    return MakeCaller<v1::PredictResponse>(
        [stub, request](auto& context, auto& response, auto done) {
          stub->async()->Predict(&context, request.get(), &response, std::move(done));
        });
  };
}

MakeCallers InferOf(int port) {
  const std::shared_ptr<Inference::Stub> stub =
      Inference::NewStub(LastingChannel("127.0.0.1:" + std::to_string(port)));
  const auto request =
      std::make_shared<const inference::ModelInferRequest>(ReferenceInferRequest());
  return [stub, request] {
    return MakeCaller<inference::ModelInferResponse>(
        [stub, request](auto& context, auto& response, auto done) {
          stub->async()->ModelInfer(&context, request.get(), &response, std::move(done));
        });
  };
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Compare(const char* name,
             const MakeCallers& service,
             const MakeCallers& echo,
             int rounds,
             milliseconds duration) {
  for (const int in_flight : {1, 8, 32}) {
    std::vector<double> rates;
    std::vector<double> echo_rates;
    std::vector<double> ratios;
    MeasureRate(in_flight, duration, service);  // warms both
    MeasureRate(in_flight, duration, echo);
    for (int round = 0; round < rounds; ++round) {
      echo_rates.push_back(MeasureRate(in_flight, duration, echo));
      rates.push_back(MeasureRate(in_flight, duration, service));
      ratios.push_back(rates.back() / echo_rates.back());
    }
    std::printf("%-10s %3d in flight: %7.0f a second, echo %7.0f, ratio %.3f\n",
                name,
                in_flight,
                Median(rates),
                Median(echo_rates),
                Median(ratios));
    std::fflush(stdout);
  }
}

int Main(int rounds, milliseconds duration) {
  std::array<int, 2> tell = {};
  std::array<int, 2> until = {};
  CHECK(pipe(tell.data()) == 0 && pipe(until.data()) == 0);
  std::string folder = (std::filesystem::temp_directory_path() / "serving_bench.XXXXXX").string();
  CHECK(mkdtemp(folder.data()) != nullptr);
  const pid_t server = fork();  // before either process has a thread
  CHECK(server >= 0);
  if (server == 0) {
    close(until[1]);
    Serve(folder, tell[1], until[0]);
    return 0;
  }
  close(tell[1]);
  Ports ports;
  CHECK(read(tell[0], &ports, sizeof ports) == sizeof ports);
  Compare("Predict", PredictOf(ports.service), PredictOf(ports.echo), rounds, duration);
  Compare("ModelInfer", InferOf(ports.service), InferOf(ports.echo), rounds, duration);
  close(until[1]);
  int status = 0;
  CHECK(waitpid(server, &status, 0) == server && status == 0);
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace millrace::serving

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  const int duration_ms = argc > 2 ? std::atoi(argv[2]) : 400;
  if (rounds < 1 || rounds > 1'000 || duration_ms < 1 || duration_ms > 60'000) {
    std::fputs("usage: serving_bench [rounds [milliseconds]]\n", stderr);
    return 2;
  }
  return millrace::serving::Main(rounds, std::chrono::milliseconds(duration_ms));
}
