// eigen_bench_v3, eigen_bench_v4: Eigen's product of two 512 x 512 matrices, as a peer would build
// it: for one x86-64 level at compile time, on one thread and on two. What the kernels of
// common/network are measured against.

#include <Eigen/Core>
#include <benchmark/benchmark.h>

namespace {

void Product(benchmark::State& state) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  constexpr Eigen::Index kSize = 512;
  const Matrix x = Matrix::Random(kSize, kSize);
  const Matrix w = Matrix::Random(kSize, kSize);
  Matrix y(kSize, kSize);
  while (state.KeepRunning()) {
    y.noalias() = x * w;
    benchmark::ClobberMemory();
  }
  const double flops = 2.0 * kSize * kSize * kSize * static_cast<double>(state.iterations());
  state.counters["flops"] = benchmark::Counter(flops, benchmark::Counter::kIsRate);
}

BENCHMARK(Product)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
