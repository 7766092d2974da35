// serving_bench: Predict and ModelInfer of millrace-serving beside a plain echo of the same
// messages.
//
//     serving_bench [rounds [milliseconds]]
//
// Three processes on the loopback: this client; millrace-serving as `millrace up` starts it; and
// plain_echo, a bare gRPC server with gRPC's default options and none of our libraries, which
// answers with the bytes that millrace-serving gave once. The two servers take turns, and the
// medians of the rounds are printed with the median of the rounds' ratios. Beside them stand the
// processor time and the context switches that a call cost each server: other work on the machine
// disturbs these less.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "common/rpc/channel.h"
#include "common/status/check.h"
#include "inference/open_inference_grpc.grpc.pb.h"
#include "tests/bench/process/server_process.h"
#include "tests/bench/serving/lasting_channel.h"
#include "tests/bench/serving/load.h"
#include "tests/bench/serving/reference_model.h"
#include "tests/bench/serving/upload_bundle.h"

namespace millrace::serving {
namespace {

using bench::Effort;
using bench::ServerProcess;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Serving = v1::ServingService;
using Inference = inference::GRPCInferenceService;

// In flight at once.
constexpr int kFlights[] = {1, 8, 32, 128};

std::string AddressOf(const ServerProcess& server) {
  return fmt::format("127.0.0.1:{}", server.port());
}

void Write(const std::filesystem::path& path, const google::protobuf::MessageLite& message) {
  std::ofstream file(path, std::ios::binary);
  CHECK(message.SerializeToOstream(&file) && file.flush());
}

// Asks the service once and keeps its answers for the echo.
void Record(const ServerProcess& service, const std::filesystem::path& folder) {
  const auto channel = LastingChannel(AddressOf(service));
  const auto serving = Serving::NewStub(channel);
  UploadBundle(*serving, "models/reference", ReferenceBundle());
  v1::PredictResponse prediction;
  grpc::ClientContext predict;
  CHECK(serving->Predict(&predict, ReferencePredictRequest(), &prediction).ok());
  Write(folder / "predict", prediction);
  inference::ModelInferResponse inferred;
  grpc::ClientContext infer;
  CHECK(Inference::NewStub(channel)->ModelInfer(&infer, ReferenceInferRequest(), &inferred).ok());
  Write(folder / "infer", inferred);
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

// One server's rounds.
class Side {
 public:
  Side(const ServerProcess& server, MakeCallers make) : server_(server), make_(std::move(make)) {}

  void Measure(int in_flight, milliseconds duration) {
    const Effort before = server_.EffortNow();
    const double rate = MeasureRate(in_flight, duration, make_);
    const Effort after = server_.EffortNow();
    const double calls = rate * std::chrono::duration<double>(duration).count();
    rates_.push_back(rate);
    microseconds_.push_back((after.seconds - before.seconds) * 1e6 / calls);
    switches_.push_back(static_cast<double>(after.switches - before.switches) / calls);
  }

  [[nodiscard]] double last_rate() const { return rates_.back(); }

  [[nodiscard]] double rate() const { return Median(rates_); }

  [[nodiscard]] double microseconds() const { return Median(microseconds_); }

  [[nodiscard]] double switches() const { return Median(switches_); }

 private:
  const ServerProcess& server_;
  MakeCallers make_;
  std::vector<double> rates_;         // a second
  std::vector<double> microseconds_;  // of the server's processor time, a call
  std::vector<double> switches_;      // of the server's threads, a call
};

struct Servers {
  const ServerProcess& service;
  const ServerProcess& echo;
};

void Compare(const char* name,
             const Servers& servers,
             const std::function<MakeCallers(int)>& callers_of,
             int rounds,
             milliseconds duration) {
  const MakeCallers service_callers = callers_of(servers.service.port());
  const MakeCallers echo_callers = callers_of(servers.echo.port());
  for (const int in_flight : kFlights) {
    Side service(servers.service, service_callers);
    Side echo(servers.echo, echo_callers);
    std::vector<double> ratios;
    MeasureRate(in_flight, duration, service_callers);  // warms both
    MeasureRate(in_flight, duration, echo_callers);
    for (int round = 0; round < rounds; ++round) {
      echo.Measure(in_flight, duration);
      service.Measure(in_flight, duration);
      ratios.push_back(service.last_rate() / echo.last_rate());
    }
    std::printf(
        "%-10s %3d in flight: %7.0f a second, echo %7.0f, ratio %.3f;"
        " %.1f us of processor time a call, echo %.1f; %.2f switches, echo %.2f\n",
        name,
        in_flight,
        service.rate(),
        echo.rate(),
        Median(ratios),
        service.microseconds(),
        echo.microseconds(),
        service.switches(),
        echo.switches());
    std::fflush(stdout);
  }
}

int Main(int rounds, milliseconds duration) {
  std::string folder = (std::filesystem::temp_directory_path() / "serving_bench.XXXXXX").string();
  CHECK(mkdtemp(folder.data()) != nullptr);
  {
    const std::string programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const std::string service_port = folder + "/serving.port";
    const ServerProcess service({programs + "/millrace-serving",
                                 "--address=127.0.0.1:0",
                                 "--folder=" + folder + "/serving",
                                 "--port-file=" + service_port},
                                service_port);
    Record(service, folder);
    const ServerProcess echo({programs + "/plain_echo", folder}, folder + "/echo.port");
    const Servers servers = {.service = service, .echo = echo};
    Compare("Predict", servers, PredictOf, rounds, duration);
    Compare("ModelInfer", servers, InferOf, rounds, duration);
  }
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
