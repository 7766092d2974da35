// training_bench: the trainer's whole loop, with the examples in memory.
//
//     training_bench [--benchmark_...]     measures: steps and samples a second, and the train loss
//                                          of the third epoch, for a peer to be compared with
//     training_bench --write=FOLDER        writes each job into a folder of its name, for peers
//
// An epoch is what a run does: a new order, gathering of batches, forward pass, loss, backward pass
// and optimizer, and the check that all is finite. The first epoch of each training is not counted.

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "common/network/loss.h"
#include "common/network/network.h"
#include "common/status/check.h"
#include "services/training/train/trainer.h"
#include "tests/bench/training/jobs.h"

namespace millrace::training {
namespace {

constexpr std::int32_t kComparedEpoch = 3;

// Adds up the time of all epochs but the first.
class Clock final : public TrainObserver {
 public:
  double seconds = 0;
  double loss = 0;  // of kComparedEpoch

  absl::Status EpochEnded(const model::v1::EpochMetrics& metrics,
                          const TrainerState& /*state*/) override {
    seconds += metrics.epoch() == 1 ? 0 : metrics.seconds();
    if (metrics.epoch() == kComparedEpoch) {
      loss = metrics.train_loss();
    }
    return absl::OkStatus();
  }
};

void Measure(benchmark::State& state, const Job& job) {
  model::v1::TrainingSpec spec = job.spec;
  spec.set_threads(static_cast<std::int32_t>(state.range(0)));
  spec.set_epochs(job.epochs + 1);
  const auto network = network::Network::Create(spec.network(), job.inputs);
  CHECK(network.ok());
  const auto loss = network::Loss::Create(spec.loss(), *network, job.task(), job.classes);
  CHECK(loss.ok());
  const Examples examples = MakeExamples(job);
  const TrainingInput input{.spec = spec,
                            .network = *network,
                            .loss = *loss,
                            .x = examples.x,
                            .labels = examples.labels,
                            .validator = nullptr};
  while (state.KeepRunning()) {
    Clock clock;
    CHECK(Train(input, clock, std::stop_token()).ok());
    state.SetIterationTime(clock.seconds);
    state.counters["loss"] = clock.loss;
  }
  const auto steps = static_cast<double>(state.iterations() * job.epochs * job.steps_per_epoch());
  state.counters["steps"] = benchmark::Counter(steps, benchmark::Counter::kIsRate);
  state.counters["samples"] =
      benchmark::Counter(steps * spec.batch_size(), benchmark::Counter::kIsRate);
}

void MeasureLarge(benchmark::internal::Benchmark* bench) {
  bench->ArgName("threads")->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
}

// A second thread only waits where steps are small.
void MeasureSmall(benchmark::internal::Benchmark* bench) {
  bench->ArgName("threads")->Arg(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(Measure, seed, Jobs()[0])->Apply(MeasureSmall);
BENCHMARK_CAPTURE(Measure, tabular, Jobs()[1])->Apply(MeasureSmall);
BENCHMARK_CAPTURE(Measure, images, Jobs()[2])->Apply(MeasureLarge);

int Main(int argc, char** argv) {
  constexpr std::string_view kWrite = "--write=";
  if (argc == 2 && std::string_view(argv[1]).starts_with(kWrite)) {
    const std::filesystem::path folder = std::string_view(argv[1]).substr(kWrite.size());
    for (const Job& job : Jobs()) {
      WriteJob(job, folder / job.name);
    }
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace millrace::training

int main(int argc, char** argv) {
  return millrace::training::Main(argc, argv);
}
