// serving_overload: what becomes of calls when there are twice as many as the service can answer.
//
//     serving_overload [repeats [seconds [slack]]]
//
// Server and client are two processes on the same cores. First, without a bound: how long calls of
// a small model take beside those of a large one. Then each repeat measures the capacity in a
// closed loop, 80 % and 200 % of it in open loops, and the capacity again, so that a machine whose
// speed changes meanwhile is compared with itself; what counts are the medians of the repeats.
// Fails when goodput at 200 % is below 90 % of the capacity, when the p99 of the answered calls is
// above twice that at 80 %, when refusals take more than 20 ms at p99, or when a call ends in any
// other way. `slack` divides or multiplies the bounds.
//
// A repeat during which other programs took more than a fifth of the cores is made again; where
// that happens too often nothing can be said, and the program ends with 77.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

#include "common/rpc/channel.h"
#include "inference/open_inference_grpc.grpc.pb.h"
#include "tests/bench/serving/lasting_channel.h"
#include "tests/bench/serving/reference_model.h"
#include "tests/load/cores.h"
#include "tests/load/large_model_server.h"
#include "tests/load/loops.h"

namespace millrace::serving {
namespace {

using std::chrono::milliseconds;
using Serving = v1::ServingService;
using Inference = inference::GRPCInferenceService;

constexpr double kOthersMax = 0.2;  // of the cores
constexpr int kTriesPerRepeat = 3;
constexpr int kSkipped = 77;
constexpr int kInFlight = 8;  // of closed loops: keeps two threads busy, and waits no longer

struct Bounds {
  double goodput_min = 0.9;    // of the capacity
  double p99_growth_max = 2;   // beside the p99 at 80 %
  double refusal_ms_max = 20;  // p99
};

struct Options {
  int repeats = 5;
  milliseconds duration{5'000};
  double slack = 1;
};

enum class Verdict { kHeld, kMissed, kUnknown };

// A call's context and answer, until it has ended.
template <typename Response>
struct OpenCall {
  OpenCall() { rpc::SetDeadline(context, std::chrono::seconds(60)); }

  grpc::ClientContext context;
  Response response;
};

Begin PredictOf(const std::string& address, const std::string& model, int rows) {
  const std::shared_ptr<Serving::Stub> stub = Serving::NewStub(LastingChannel(address));
  const auto request =
      std::make_shared<const v1::PredictRequest>(ReferencePredictRequest(model, rows));
  return [stub, request](std::function<void(const grpc::Status&)> done) {
    const auto call = std::make_shared<OpenCall<v1::PredictResponse>>();
    stub->async()->Predict(
        &call->context,
        request.get(),
        &call->response,
        [call, done = std::move(done)](const grpc::Status& status) { done(status); });
  };
}

Begin InferOf(const std::string& address, const std::string& model, int rows) {
  const std::shared_ptr<Inference::Stub> stub = Inference::NewStub(LastingChannel(address));
  const auto request =
      std::make_shared<const inference::ModelInferRequest>(ReferenceInferRequest(model, rows));
  return [stub, request](std::function<void(const grpc::Status&)> done) {
    const auto call = std::make_shared<OpenCall<inference::ModelInferResponse>>();
    stub->async()->ModelInfer(
        &call->context,
        request.get(),
        &call->response,
        [call, done = std::move(done)](const grpc::Status& status) { done(status); });
  };
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The figures of one repeat.
struct Figures {
  double capacity = 0;   // calls a second
  double goodput = 0;    // at 200 %, of the capacity
  double p99_80_ms = 0;  // of answered calls
  double p99_200_ms = 0;
  double refusal_p99_ms = 0;  // at 200 %
  double refused_80 = 0;      // share of the calls
  double others = 0;          // share of the cores that other programs took
  std::int64_t failed = 0;
};

Figures Measure(const Begin& begin, milliseconds duration, pid_t server) {
  const Cores cores({getpid(), server});
  const Outcome before = ClosedLoop(kInFlight, duration / 2, begin);
  const Outcome normal = OpenLoop(0.8 * before.rate(), duration, begin);
  const Outcome over = OpenLoop(2 * before.rate(), duration, begin);
  const Outcome after = ClosedLoop(kInFlight, duration / 2, begin);
  for (const Outcome* const outcome : {&before, &normal, &over, &after}) {
    if (outcome->failed > 0) {
      std::printf("  %ld calls failed: %s\n", outcome->failed, outcome->failure.c_str());
    }
  }
  const double capacity = (before.rate() + after.rate()) / 2;
  const auto refused = static_cast<double>(normal.refused_ms.size());
  return {.capacity = capacity,
          .goodput = over.rate() / capacity,
          .p99_80_ms = Quantile(normal.answered_ms, 0.99),
          .p99_200_ms = Quantile(over.answered_ms, 0.99),
          .refusal_p99_ms = Quantile(over.refused_ms, 0.99),
          .refused_80 = refused / (refused + static_cast<double>(normal.answered_ms.size())),
          .others = cores.OthersShare(),
          .failed = before.failed + normal.failed + over.failed + after.failed};
}

Verdict Report(const char* name, const std::vector<Figures>& repeats, const Bounds& bounds) {
  const auto median = [&](auto value) {
    std::vector<double> values;
    std::transform(repeats.begin(), repeats.end(), std::back_inserter(values), value);
    return Median(std::move(values));
  };
  const double goodput = median([](const Figures& f) { return f.goodput; });
  const double growth = median([](const Figures& f) { return f.p99_200_ms / f.p99_80_ms; });
  const double refusal = median([](const Figures& f) { return f.refusal_p99_ms; });
  const bool failed =
      std::any_of(repeats.begin(), repeats.end(), [](const Figures& f) { return f.failed > 0; });
  const bool held = goodput >= bounds.goodput_min && growth <= bounds.p99_growth_max &&
                    refusal <= bounds.refusal_ms_max && !failed;
  std::printf(
      "%s: %s. Medians of %zu: capacity %.0f a second; at 80 %%: p99 %.1f ms, refused %.4f; "
      "at 200 %%: goodput %.3f of the capacity (least %.2f), p99 %.1f ms, %.2f of that at "
      "80 %% (most %.1f), refused within %.1f ms at p99 (most %.0f)\n",
      name,
      held ? "held" : "MISSED",
      repeats.size(),
      median([](const Figures& f) { return f.capacity; }),
      median([](const Figures& f) { return f.p99_80_ms; }),
      median([](const Figures& f) { return f.refused_80; }),
      goodput,
      bounds.goodput_min,
      median([](const Figures& f) { return f.p99_200_ms; }),
      growth,
      bounds.p99_growth_max,
      refusal,
      bounds.refusal_ms_max);
  std::fflush(stdout);
  return held ? Verdict::kHeld : Verdict::kMissed;
}

void Print(const char* name, const Figures& figures) {
  std::printf(
      "  %s: capacity %.0f, goodput %.3f, p99 %.1f ms at 80 %%, %.1f ms at 200 %%, refused "
      "within %.1f ms; others took %.2f of the cores%s\n",
      name,
      figures.capacity,
      figures.goodput,
      figures.p99_80_ms,
      figures.p99_200_ms,
      figures.refusal_p99_ms,
      figures.others,
      figures.others > kOthersMax ? ": again" : "");
  std::fflush(stdout);
}

Verdict Judge(const char* name, const Begin& begin, const Options& options, pid_t server) {
  ClosedLoop(kInFlight, options.duration / 4, begin);  // warms it
  std::vector<Figures> repeats;
  for (int tries = 0; tries < kTriesPerRepeat * options.repeats; ++tries) {
    const Figures figures = Measure(begin, options.duration, server);
    Print(name, figures);
    if (figures.others > kOthersMax) {
      continue;
    }
    repeats.push_back(figures);
    if (static_cast<int>(repeats.size()) == options.repeats) {
      const Bounds promised;
      return Report(name,
                    repeats,
                    {.goodput_min = promised.goodput_min / options.slack,
                     .p99_growth_max = promised.p99_growth_max * options.slack,
                     .refusal_ms_max = promised.refusal_ms_max * options.slack});
    }
  }
  std::printf("%s: other programs took the cores: nothing can be said\n", name);
  return Verdict::kUnknown;
}

// Calls of the small model, one at a time, alone and while the large one keeps all threads busy.
void MeasureSmallBesideLarge(const Begin& small, const Begin& large, milliseconds duration) {
  ClosedLoop(1, duration / 4, small);
  const Outcome alone = ClosedLoop(1, duration, small);
  Outcome large_outcome;
  std::thread busy([&] { large_outcome = ClosedLoop(kInFlight, duration + duration / 2, large); });
  ClosedLoop(1, duration / 4, small);  // until the large ones are there
  const Outcome beside = ClosedLoop(1, duration, small);
  busy.join();
  std::printf(
      "small calls alone: p50 %.2f ms, p99 %.2f ms; beside large ones: p50 %.2f ms, p99 "
      "%.2f ms\n",
      Quantile(alone.answered_ms, 0.5),
      Quantile(alone.answered_ms, 0.99),
      Quantile(beside.answered_ms, 0.5),
      Quantile(beside.answered_ms, 0.99));
  std::fflush(stdout);
}

int Main(const Options& options) {
  const LargeModelServer server;
  const std::string& address = server.address();
  std::printf("%d rows a call\n", server.rows());
  const Begin infer = InferOf(address, kLargeModel, server.rows());
  const Begin predict = PredictOf(address, kLargeModel, server.rows());
  MeasureSmallBesideLarge(InferOf(address, kSmallModel, 1), infer, options.duration);
  const std::array<Verdict, 2> verdicts = {Judge("ModelInfer", infer, options, server.process()),
                                           Judge("Predict", predict, options, server.process())};
  if (std::count(verdicts.begin(), verdicts.end(), Verdict::kMissed) > 0) {
    return 1;
  }
  return std::count(verdicts.begin(), verdicts.end(), Verdict::kUnknown) > 0 ? kSkipped : 0;
}

}  // namespace
}  // namespace millrace::serving

int main(int argc, char** argv) {
  millrace::serving::Options options;
  options.repeats = argc > 1 ? std::atoi(argv[1]) : options.repeats;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
  options.slack = argc > 3 ? std::atof(argv[3]) : options.slack;
  if (options.repeats < 1 || options.repeats > 100 || !(seconds >= 0.1 && seconds <= 600) ||
      !(options.slack >= 1)) {
    std::fputs("usage: serving_overload [repeats [seconds [slack]]]\n", stderr);
    return 2;
  }
  options.duration = std::chrono::milliseconds(static_cast<int>(seconds * 1'000));
  return millrace::serving::Main(options);
}
