// Training and inference of three networks, and our product beside Eigen's in the same run.
//
// The networks are those of docs/design: 2-10-1 (batch 10, SGD), 30-64-32-1 (batch 32, Adam) and
// 784-512-256-10 (batch 128, Adam). A step is what a run does: forward pass, loss, backward pass
// and optimizer, over batches that lie one after the other.

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include <Eigen/Core>
#include <benchmark/benchmark.h>

#include "common/network/buffer.h"
#include "common/network/inference_plan.h"
#include "common/network/kernels/kernels.h"
#include "common/network/training_plan.h"

namespace millrace::network {
namespace {

using model::v1::ACTIVATION_RELU;
using model::v1::ACTIVATION_SIGMOID;
using model::v1::ACTIVATION_SOFTMAX;
using Floats = std::vector<float>;

struct Unit {
  int units;
  model::v1::Activation activation;
};

struct Job {
  std::vector<Unit> layers;
  std::int64_t inputs;
  std::int64_t batch;
  std::int64_t classes;
  bool adam;
};

const Job kSeed{{{10, ACTIVATION_SIGMOID}, {1, ACTIVATION_SIGMOID}}, 2, 10, 2, false};
const Job kTabular{{{64, ACTIVATION_RELU}, {32, ACTIVATION_RELU}, {1, ACTIVATION_SIGMOID}},
                   30,
                   32,
                   2,
                   true};
const Job kMlp{{{512, ACTIVATION_RELU}, {256, ACTIVATION_RELU}, {10, ACTIVATION_SOFTMAX}},
               784,
               128,
               10,
               true};

constexpr std::int64_t kBatches = 16;

Network MakeNetwork(const Job& job) {
  model::v1::NetworkSpec spec;
  for (const Unit& unit : job.layers) {
    model::v1::Dense& dense = *spec.add_layers()->mutable_dense();
    dense.set_units(unit.units);
    dense.set_activation(unit.activation);
  }
  return Network::Create(spec, job.inputs).value();
}

Floats Random(std::int64_t count) {
  std::mt19937 random(1);
  Floats floats(static_cast<std::size_t>(count));
  for (float& value : floats) {
    value = static_cast<float>(random() >> 8U) / 16777216.0F;
  }
  return floats;
}

// Steps of a region: enough that entering it does not count.
int StepsOf(const Job& job) {
  return job.inputs > 100 ? 4 : 64;
}

class Training {
 public:
  Training(const Job& job, int threads)
      : job_(job),
        network_(MakeNetwork(job)),
        team_(threads),
        x_(Random(kBatches * job.batch * job.inputs)),
        labels_(static_cast<std::size_t>(kBatches * job.batch)),
        m_(network_.parameter_count()),
        v_(network_.parameter_count()) {
    const auto task = job.classes == 2 ? schema::v1::TASK_BINARY : schema::v1::TASK_MULTICLASS;
    const Loss loss =
        Loss::Create(model::v1::LOSS_UNSPECIFIED, network_, task, job.classes).value();
    plan_ = TrainingPlan::Create(network_, loss, {.batch_rows_max = job.batch, .seed = 1}).value();
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      labels_[i] = static_cast<float>(i % static_cast<std::size_t>(job.classes));
    }
  }

  double RunSteps() {
    double loss = 0;
    team_.Run([&](ThreadTeam::Member& member) {
      const kernels::Range part = member.Part(network_.parameter_count(), 64);
      for (int i = 0; i < StepsOf(job_); ++i) {
        const std::int64_t batch = i % kBatches * job_.batch;
        plan_->Step(member, i, job_.batch, x_.data() + batch * job_.inputs, labels_.data() + batch);
        Update(part, ++time_[static_cast<std::size_t>(member.index())]);
        if (member.index() == 0) {
          loss += plan_->LossSum();
        }
      }
    });
    return loss;
  }

 private:
  void Update(const kernels::Range& part, std::int64_t time) {
    const std::int64_t count = part.last - part.first;
    const float* gradients = plan_->gradients().data() + part.first;
    float* parameters = plan_->parameters().data() + part.first;
    if (!job_.adam) {
      kernels::Sgd({.learning_rate = 0.01F}, count, gradients, nullptr, parameters);
      return;
    }
    const auto t = static_cast<double>(time);
    const double alpha = 0.001 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    kernels::Adam(
        {.alpha = static_cast<float>(alpha), .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7F},
        count,
        gradients,
        m_.data() + part.first,
        v_.data() + part.first,
        parameters);
  }

  Job job_;
  Network network_;
  ThreadTeam team_;
  Floats x_;
  Floats labels_;
  Buffer m_;
  Buffer v_;
  std::vector<std::int64_t> time_ = std::vector<std::int64_t>(64);
  std::unique_ptr<TrainingPlan> plan_;
};

// Runs with the instruction set named by argument 1: 0 the best, 1 AVX2.
void UseLevel(const benchmark::State& state) {
  kernels::ForceLevel(state.range(1) == 0 ? 0 : kernels::AvailableLevels().front());
}

void Train(benchmark::State& state, const Job& job) {
  UseLevel(state);
  Training training(job, static_cast<int>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(training.RunSteps());
  }
  const auto steps = static_cast<double>(state.iterations()) * StepsOf(job);
  state.counters["steps"] = benchmark::Counter(steps, benchmark::Counter::kIsRate);
  state.counters["samples"] =
      benchmark::Counter(steps * static_cast<double>(job.batch), benchmark::Counter::kIsRate);
  kernels::ForceLevel(0);
}

void TrainArguments(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"threads", "avx2"})->ArgsProduct({{1, 2}, {0, 1}})->UseRealTime();
}

BENCHMARK_CAPTURE(Train, seed_2_10_1, kSeed)->Apply(TrainArguments);
BENCHMARK_CAPTURE(Train, tabular_30_64_32_1, kTabular)->Apply(TrainArguments);
BENCHMARK_CAPTURE(Train, mlp_784_512_256_10, kMlp)->Apply(TrainArguments);

void Infer(benchmark::State& state, const Job& job) {
  const std::int64_t rows = state.range(0);
  const Network network = MakeNetwork(job);
  Floats parameters(static_cast<std::size_t>(network.parameter_count()));
  network.Initialize(1, parameters);
  const InferencePlan plan = InferencePlan::Create(network, parameters).value();
  const Floats x = Random(rows * job.inputs);
  Floats y(static_cast<std::size_t>(rows * network.outputs()));
  InferenceScratch scratch;
  for (auto _ : state) {
    plan.Run(rows, x, y, scratch);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.counters["rows"] = benchmark::Counter(static_cast<double>(state.iterations() * rows),
                                              benchmark::Counter::kIsRate);
  state.counters["estimate_us"] = plan.EstimateMicroseconds(rows);
}

BENCHMARK_CAPTURE(Infer, tabular_30_64_32_1, kTabular)->Arg(1)->Arg(32)->Arg(256);
BENCHMARK_CAPTURE(Infer, mlp_784_512_256_10, kMlp)->Arg(1)->Arg(32)->Arg(256);

// Products [rows, inputs] [inputs, outputs].
void SetRate(benchmark::State& state) {
  const auto flops = static_cast<double>(2 * state.range(0) * state.range(1) * state.range(2));
  state.counters["flops"] = benchmark::Counter(flops * static_cast<double>(state.iterations()),
                                               benchmark::Counter::kIsRate);
}

void DensePacked(benchmark::State& state) {
  kernels::ForceLevel(state.range(3) == 0 ? 0 : kernels::AvailableLevels().front());
  const std::int64_t rows = state.range(0);
  const kernels::Shape weights{.rows = state.range(2), .columns = state.range(1)};
  const Floats x = Random(rows * weights.rows);
  const Floats w = Random(weights.rows * weights.columns);
  Floats packed(static_cast<std::size_t>(kernels::PackedSize(weights)));
  kernels::Pack(weights, w, packed);
  Floats y(static_cast<std::size_t>(rows * weights.columns));
  for (auto _ : state) {
    kernels::Dense(
        {.inputs = weights.rows, .outputs = weights.columns, .packed = packed, .bias = {}},
        rows,
        x.data(),
        y.data());
    benchmark::ClobberMemory();
  }
  SetRate(state);
  kernels::ForceLevel(0);
}

void DenseUnpacked(benchmark::State& state) {
  kernels::ForceLevel(state.range(3) == 0 ? 0 : kernels::AvailableLevels().front());
  const std::int64_t rows = state.range(0);
  const kernels::Shape weights{.rows = state.range(2), .columns = state.range(1)};
  const Floats x = Random(rows * weights.rows);
  const Floats w = Random(weights.rows * weights.columns);
  Floats y(static_cast<std::size_t>(rows * weights.columns));
  for (auto _ : state) {
    kernels::DenseUnpacked({.weights = weights, .w = w.data()},
                           {.rows = {0, rows}, .columns = {0, weights.columns}},
                           x.data(),
                           y.data());
    benchmark::ClobberMemory();
  }
  SetRate(state);
  kernels::ForceLevel(0);
}

// dW of a layer of `outputs` units over a batch of `rows`.
void WeightGradient(benchmark::State& state) {
  kernels::ForceLevel(state.range(3) == 0 ? 0 : kernels::AvailableLevels().front());
  const std::int64_t rows = state.range(0);
  const kernels::Shape weights{.rows = state.range(2), .columns = state.range(1)};
  const Floats x = Random(rows * weights.rows);
  const Floats dy = Random(rows * weights.columns);
  Floats dw(static_cast<std::size_t>(weights.rows * weights.columns));
  for (auto _ : state) {
    kernels::WeightGradient(weights, rows, x.data(), dy.data(), {0, weights.rows}, dw.data());
    benchmark::ClobberMemory();
  }
  SetRate(state);
  kernels::ForceLevel(0);
}

void InputGradient(benchmark::State& state) {
  kernels::ForceLevel(state.range(3) == 0 ? 0 : kernels::AvailableLevels().front());
  const std::int64_t rows = state.range(0);
  const kernels::Shape weights{.rows = state.range(2), .columns = state.range(1)};
  const Floats w = Random(weights.rows * weights.columns);
  const Floats dy = Random(rows * weights.columns);
  Floats dx(static_cast<std::size_t>(rows * weights.rows));
  for (auto _ : state) {
    kernels::InputGradient({.weights = weights, .w = w.data()},
                           {.rows = {0, rows}, .columns = {0, weights.rows}},
                           dy.data(),
                           dx.data());
    benchmark::ClobberMemory();
  }
  SetRate(state);
  kernels::ForceLevel(0);
}

void GradientArguments(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "outputs", "inputs", "avx2"})
      ->ArgsProduct({{128}, {512}, {784}, {0, 1}})
      ->ArgsProduct({{128}, {256}, {512}, {0, 1}});
}

// What a network computes beside its products, over `elements` numbers.
template <class Function>
void Elementwise(benchmark::State& state, Function function) {
  UseLevel(state);
  const std::int64_t elements = state.range(0);
  const Floats x = Random(elements);
  const Floats labels(x.size());
  Floats y(x.size());
  for (auto _ : state) {
    function(elements, x.data(), labels.data(), y.data());
    benchmark::ClobberMemory();
  }
  state.counters["elements"] = benchmark::Counter(
      static_cast<double>(state.iterations() * elements), benchmark::Counter::kIsRate);
  kernels::ForceLevel(0);
}

template <model::v1::Activation kActivation>
void ActivateElements(std::int64_t count, const float* x, const float* /*labels*/, float* y) {
  kernels::Activate(kActivation, count, x, y);
}

void SoftmaxTens(std::int64_t count, const float* x, const float* /*labels*/, float* y) {
  kernels::Softmax(count / 10, 10, x, y);
}

void LogisticLosses(std::int64_t count, const float* x, const float* labels, float* /*y*/) {
  benchmark::DoNotOptimize(kernels::LogisticLoss(count, x, labels));
}

void SoftmaxLosses(std::int64_t count, const float* x, const float* labels, float* /*y*/) {
  benchmark::DoNotOptimize(kernels::SoftmaxLoss(count / 10, 10, x, labels));
}

void ElementArguments(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"elements", "avx2"})->ArgsProduct({{1280}, {0, 1}});
}

BENCHMARK_CAPTURE(Elementwise, sigmoid, &ActivateElements<ACTIVATION_SIGMOID>)
    ->Apply(ElementArguments);
BENCHMARK_CAPTURE(Elementwise, tanh, &ActivateElements<model::v1::ACTIVATION_TANH>)
    ->Apply(ElementArguments);
BENCHMARK_CAPTURE(Elementwise, gelu, &ActivateElements<model::v1::ACTIVATION_GELU>)
    ->Apply(ElementArguments);
BENCHMARK_CAPTURE(Elementwise, softmax, &SoftmaxTens)->Apply(ElementArguments);
BENCHMARK_CAPTURE(Elementwise, logistic_loss, &LogisticLosses)->Apply(ElementArguments);
BENCHMARK_CAPTURE(Elementwise, softmax_loss, &SoftmaxLosses)->Apply(ElementArguments);

// Eigen as this repository builds it: no -march, so SSE2; it is the peer that the same compiler
// flags give, not the fastest Eigen.
void EigenProduct(benchmark::State& state) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Matrix x = Matrix::Random(state.range(0), state.range(2));
  const Matrix w = Matrix::Random(state.range(2), state.range(1));
  Matrix y(state.range(0), state.range(1));
  for (auto _ : state) {
    y.noalias() = x * w;
    benchmark::ClobberMemory();
  }
  SetRate(state);
}

void ProductArguments(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "outputs", "inputs", "avx2"})
      ->ArgsProduct({{512}, {512}, {512}, {0, 1}})
      ->ArgsProduct({{128}, {512}, {784}, {0, 1}})
      ->ArgsProduct({{128}, {256}, {512}, {0, 1}})
      ->ArgsProduct({{1}, {512}, {784}, {0, 1}});
}

BENCHMARK(DensePacked)->Apply(ProductArguments);
BENCHMARK(DenseUnpacked)->Apply(ProductArguments);
BENCHMARK(WeightGradient)->Apply(GradientArguments);
BENCHMARK(InputGradient)->Apply(GradientArguments);
BENCHMARK(EigenProduct)->Args({512, 512, 512})->Args({128, 512, 784})->Args({1, 512, 784});

}  // namespace
}  // namespace millrace::network
